eval "$(cat <&3)" 3<&-
