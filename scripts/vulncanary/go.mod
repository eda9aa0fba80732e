module github.com/agb-go/sdk/scripts/vulncanary

go 1.25.0

toolchain go1.26.8

require github.com/hashicorp/go-retryablehttp v0.7.5

require github.com/hashicorp/go-cleanhttp v0.5.2 // indirect
