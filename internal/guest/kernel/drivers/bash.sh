eval "$(if command -v cat >/dev/null; then cat; else while IFS= read -r line || [ -n "$line" ]; do printf '%s\n' "$line"; done; fi <&3)" 3<&-
