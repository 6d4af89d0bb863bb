//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// key identifies a series of measurements.
type key struct{ server, work string }

// results holds the measurements of each server and workload by round.
type results struct {
	cells  map[key][]cell
	open   map[key][][]time.Duration // sorted, one slice per round
	memory map[string]memory
}

func newResults() *results {
	return &results{cells: map[key][]cell{}, open: map[key][][]time.Duration{}, memory: map[string]memory{}}
}

func (r *results) add(server string, work *workload, c cell) {
	r.cells[key{server, work.name}] = append(r.cells[key{server, work.name}], c)
}

func (r *results) addOpen(server string, work *workload, latencies []time.Duration) {
	r.open[key{server, work.name}] = append(r.open[key{server, work.name}], latencies)
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

// of returns the median of a property of a server's cells.
func (r *results) of(server string, work *workload, property func(cell) float64) float64 {
	cells := r.cells[key{server, work.name}]
	return median(cells, func(i int) float64 { return property(cells[i]) })
}

// times returns the median of the ratios, round by round, of a property of one server to
// the same of another: the speed of a machine changes between rounds.
func (r *results) times(server, reference string, work *workload, property func(cell) float64) float64 {
	ours, theirs := r.cells[key{server, work.name}], r.cells[key{reference, work.name}]
	return median(ours, func(i int) float64 { return property(ours[i]) / property(theirs[i]) })
}

func rate(c cell) float64        { return c.rate }
func ownCPU(c cell) float64      { return c.cpu }
func postgresCPU(c cell) float64 { return c.postgres }

func (r *results) markdown(c *runCommand) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Medians of %d interleaved rounds of %s, with %d connections, %d workspaces of %d leads each, and PostgreSQL on the same machine.\n\n",
		c.Rounds, c.Cell, c.Conns, c.Workspaces, c.Leads)
	r.writeGoals(&b)
	r.writeCells(&b)
	r.writeOpen(&b)
	return b.String()
}

func (r *results) writeCells(b *strings.Builder) {
	b.WriteString("\n| request | server | requests/s | CPU µs: server | PostgreSQL | both | p50 | p99 | CPU × floor | both × floor | requests/s × floor | × fastify |\n" +
		"|---|---|---|---|---|---|---|---|---|---|---|---|\n")
	for _, work := range workloads {
		for _, one := range contestants {
			if len(r.cells[key{one.name, work.name}]) == 0 {
				continue
			}
			fmt.Fprintf(b, "| %s | %s | %.0f | %.0f | %.0f | %.0f | %s | %s | %.2f | %.2f | %.2f | %.2f |\n", work, one.name,
				r.of(one.name, work, rate), r.of(one.name, work, ownCPU), r.of(one.name, work, postgresCPU), r.of(one.name, work, cell.both),
				milliseconds(r.of(one.name, work, func(c cell) float64 { return float64(c.p50) })),
				milliseconds(r.of(one.name, work, func(c cell) float64 { return float64(c.p99) })),
				r.times(one.name, floorName, work, ownCPU), r.times(one.name, floorName, work, cell.both),
				r.times(one.name, floorName, work, rate), r.times(one.name, fastifyName, work, rate))
		}
	}
	fmt.Fprintf(b, "\nThe workers of “%s” have caught up with the POST requests %s after the last one (median), with ten workspaces; %s with one.\n",
		workersName, milliseconds(r.of(workersName, postTenWork, drained)), milliseconds(r.of(workersName, postOneWork, drained)))
	b.WriteString("\nPeak memory:")
	for i, one := range contestants {
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(b, " %s %s", one.name, r.memory[one.name])
	}
	b.WriteString(".\n")
}

func drained(c cell) float64 { return float64(c.drained) }

func (r *results) writeOpen(b *strings.Builder) {
	b.WriteString("\nOpen loop: requests are sent at a fixed rate, whether or not responses arrive. Latency is measured from the time each request was due.\n\n" +
		"| request | rate | floor p50 | convo p50 | × | floor p99 | convo p99 | × |\n|---|---|---|---|---|---|---|---|\n")
	for _, work := range workloads {
		if work.rate == 0 {
			continue
		}
		floors, ours := r.open[key{floorName, work.name}], r.open[key{convoName, work.name}]
		at := func(rounds [][]time.Duration, q float64) float64 {
			return median(rounds, func(i int) float64 { return float64(quantile(rounds[i], q)) })
		}
		ratio := func(q float64) float64 {
			return median(ours, func(i int) float64 { return float64(quantile(ours[i], q)) / float64(quantile(floors[i], q)) })
		}
		fmt.Fprintf(b, "| %s | %d/s | %s | %s | %.2f | %s | %s | %.2f |\n", work, work.rate,
			milliseconds(at(floors, 0.5)), milliseconds(at(ours, 0.5)), ratio(0.5),
			milliseconds(at(floors, 0.99)), milliseconds(at(ours, 0.99)), ratio(0.99))
	}
}

func milliseconds(nanoseconds float64) string { return fmt.Sprintf("%.2f ms", nanoseconds/1e6) }

// writeTable replaces the text between the markers that name a command in a document.
func writeTable(path, command, table string) error {
	begin, end := "<!-- written by "+command+": begin -->", "<!-- written by "+command+": end -->"
	content, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	head, rest, found := strings.Cut(string(content), begin)
	_, tail, foundEnd := strings.Cut(rest, end)
	if !found || !foundEnd {
		return fmt.Errorf("%s lacks the markers for the table of %s", path, command)
	}
	content = []byte(head + begin + "\n\n" + strings.TrimRight(table, "\n") + "\n\n" + end + tail)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}
