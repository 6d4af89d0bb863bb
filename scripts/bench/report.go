//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// results holds the measurements of each server and workload by round.
type results struct {
	cells  map[string][]cell
	open   map[string][][]time.Duration // sorted, one slice per round
	memory map[string]int64             // bytes
}

func newResults() *results {
	return &results{cells: map[string][]cell{}, open: map[string][][]time.Duration{}, memory: map[string]int64{}}
}

func (r *results) add(server, work string, c cell) {
	r.cells[server+" "+work] = append(r.cells[server+" "+work], c)
}

func (r *results) addOpen(server string, latencies map[string][]time.Duration) {
	for work, all := range latencies {
		slices.Sort(all)
		r.open[server+" "+work] = append(r.open[server+" "+work], all)
	}
}

// median returns the median of pick over all rounds.
func median[T any](rounds []T, pick func(i int) float64) float64 {
	values := make([]float64, len(rounds))
	for i := range rounds {
		values[i] = pick(i)
	}
	slices.Sort(values)
	if len(values) == 0 {
		return 0
	}
	return values[len(values)/2]
}

// cost is the server's CPU time per request relative to PostgreSQL's for the same SQL in
// the same cell, so that changes in the machine's speed cancel out.
func cost(c cell) float64 { return c.cpu / c.postgres }

// times compares a server's cost with the floor's. The usual wiring sends more queries to
// PostgreSQL, which must not make it look cheaper, so its CPU time is compared directly.
func times(server string, c, floor cell) float64 {
	if server == "wired" {
		return c.cpu / floor.cpu
	}
	return cost(c) / cost(floor)
}

func (r *results) markdown(c *runCommand) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d interleaved rounds of %s, with %d connections, %d workspaces of %d leads each, and PostgreSQL on the same machine.\n\n",
		c.Rounds, c.Cell, c.Conns, c.Workspaces, c.Leads)
	b.WriteString("| request | server | requests/s | CPU µs/request | PostgreSQL µs/request | p50 | p99 | CPU × floor | requests/s × wired |\n|---|---|---|---|---|---|---|---|---|\n")
	for _, work := range workloads {
		for _, server := range []string{"floor", "convo", "wired"} {
			cells := r.cells[server+" "+work.name]
			floors, wireds := r.cells["floor "+work.name], r.cells["wired "+work.name]
			fmt.Fprintf(&b, "| %s | %s | %.0f | %.0f | %.0f | %s | %s | %.2f | %.2f |\n", work.name, server,
				median(cells, func(i int) float64 { return cells[i].rate }),
				median(cells, func(i int) float64 { return cells[i].cpu }),
				median(cells, func(i int) float64 { return cells[i].postgres }),
				milliseconds(median(cells, func(i int) float64 { return float64(cells[i].p50) })),
				milliseconds(median(cells, func(i int) float64 { return float64(cells[i].p99) })),
				median(cells, func(i int) float64 { return times(server, cells[i], floors[i]) }),
				median(cells, func(i int) float64 { return cells[i].rate / wireds[i].rate }))
		}
	}
	b.WriteString("\nPeak memory: ")
	for i, server := range []string{"floor", "convo", "wired"} {
		if i > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "%s %.0f MB", server, float64(r.memory[server])/1e6)
	}
	b.WriteString(".\n\nOpen loop: requests are sent at a fixed rate, whether or not responses arrive. Latency is measured from the time each request was due.\n\n")
	b.WriteString("| request | rate | floor p50 | convo p50 | × | floor p99 | convo p99 | × |\n|---|---|---|---|---|---|---|---|\n")
	for _, work := range workloads {
		floors, ours := r.open["floor "+work.name], r.open["convo "+work.name]
		at := func(rounds [][]time.Duration, q float64) float64 {
			return median(rounds, func(i int) float64 { return float64(quantile(rounds[i], q)) })
		}
		ratio := func(q float64) float64 {
			return median(ours, func(i int) float64 { return float64(quantile(ours[i], q)) / float64(quantile(floors[i], q)) })
		}
		fmt.Fprintf(&b, "| %s | %d/s | %s | %s | %.2f | %s | %s | %.2f |\n", work.name, work.rate,
			milliseconds(at(floors, 0.5)), milliseconds(at(ours, 0.5)), ratio(0.5),
			milliseconds(at(floors, 0.99)), milliseconds(at(ours, 0.99)), ratio(0.99))
	}
	return b.String()
}

func milliseconds(nanoseconds float64) string { return fmt.Sprintf("%.2f ms", nanoseconds/1e6) }

const (
	beginMark = "<!-- written by make bench: begin -->"
	endMark   = "<!-- written by make bench: end -->"
)

// writeTable replaces the text between the markers in a document.
func writeTable(path, table string) error {
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	head, rest, found := strings.Cut(string(content), beginMark)
	_, tail, foundEnd := strings.Cut(rest, endMark)
	if !found || !foundEnd {
		return fmt.Errorf("%s lacks the markers for the table", path)
	}
	content = []byte(head + beginMark + "\n\n" + table + "\n" + endMark + tail)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
