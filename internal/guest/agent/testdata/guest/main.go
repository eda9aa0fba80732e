// Command guest is the agent and nothing else, to measure what that takes.
package main

import "github.com/agb-go/sdk/internal/guest/agent"

func main() { agent.Main(3) }
