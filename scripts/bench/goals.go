//go:build linux

package main

import (
	"fmt"
	"strings"
)

// goal is what a server should reach for a workload.
type goal struct {
	server string
	work   *workload
	cpu    float64 // × floor, at most
	rate   float64 // × floor, at least
}

const (
	fastifyGoal = 2.0      // requests per second × fastify, at least
	memoryGoal  = 64 << 20 // bytes, at most
)

var goals = []goal{
	{convoName, listWork, 1.30, 0.88},
	{convoName, getWork, 1.20, 0.90},
	{convoName, postTenWork, 1.50, 0.75},
	{convoName, postOneWork, 1.50, 0.70},
	{workersName, postTenWork, 1.50, 0.75},
	{workersName, postOneWork, 1.50, 0.70},
}

func (r *results) writeGoals(b *strings.Builder) {
	b.WriteString("| request | server | CPU × floor | goal | requests/s × floor | goal | requests/s × fastify | goal | |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, g := range goals {
		cpu, perSecond := r.times(g.server, floorName, g.work, ownCPU), r.times(g.server, floorName, g.work, rate)
		ahead := r.times(g.server, fastifyName, g.work, rate)
		fmt.Fprintf(b, "| %s | %s | %.2f | ≤ %.2f | %.2f | ≥ %.2f | %.2f | ≥ %.1f | %s |\n", g.work, g.server,
			cpu, g.cpu, perSecond, g.rate, ahead, fastifyGoal, verdict(cpu <= g.cpu && perSecond >= g.rate && ahead >= fastifyGoal))
	}
	for _, server := range []string{convoName, workersName} {
		fmt.Fprintf(b, "\nPeak memory of %s: %.0f MiB (goal: ≤ %d MiB, %s).\n", server, float64(r.memory[server].peak)/(1<<20), memoryGoal>>20, verdict(r.memory[server].peak <= memoryGoal))
	}
}

func verdict(met bool) string {
	if met {
		return "met"
	}
	return "not met"
}
