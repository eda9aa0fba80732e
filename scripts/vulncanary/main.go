// Command vulncanary depends on a module with a known vulnerability, so that
// a vulnerability database that is empty or stale does not pass for a clean
// one: scanning this module must report GO-2024-2947.
package main

import (
	"log"

	"github.com/hashicorp/go-retryablehttp"
)

func main() {
	resp, err := retryablehttp.Get("http://127.0.0.1/")
	if err != nil {
		log.Fatal(err)
	}
	_ = resp.Body.Close()
}
