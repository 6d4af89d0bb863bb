// Speccoverage compares the statuses that the tests saw per operation with the documented
// ones, prints them, and fails if a documented status was not seen.
//
//	CONVO_SPEC_COVERAGE_DIR=dir go test ./... && go run ./scripts/speccoverage dir
package main

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/avelto/convo/internal/api/spec"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: speccoverage DIRECTORY")
		os.Exit(2)
	}
	missing, err := report(os.Args[1])
	if err != nil {
		fmt.Fprintln(os.Stderr, "speccoverage:", err)
		os.Exit(1)
	}
	if missing > 0 {
		os.Exit(1)
	}
}

func report(dir string) (missing int, err error) {
	seen, err := readPairs(dir)
	if err != nil {
		return 0, err
	}
	document, err := spec.Published()
	if err != nil {
		return 0, fmt.Errorf("document: %w", err)
	}
	slices.SortFunc(document.Operations, func(a, b *spec.Operation) int { return cmp.Compare(a.ID, b.ID) })
	exercised := 0
	fmt.Println("Documented statuses per operation, MISSING if no test saw them")
	for _, operation := range document.Operations {
		var line strings.Builder
		for _, status := range statuses(operation) {
			if seen[operation.ID+" "+status] {
				exercised++
				line.WriteString(" " + status)
			} else {
				missing++
				line.WriteString(" MISSING:" + status)
			}
		}
		fmt.Printf("  %-30s%s\n", operation.ID, line.String())
	}
	fmt.Printf("%d statuses seen, %d missing\n", exercised, missing)
	return missing, nil
}

func statuses(operation *spec.Operation) []string {
	var all []string
	for status := range operation.Definition.Responses.Map() {
		all = append(all, status)
	}
	slices.Sort(all)
	return all
}

func readPairs(dir string) (map[string]bool, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return nil, fmt.Errorf("list %s: %w", dir, err)
	}
	seen := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			return nil, fmt.Errorf("read pairs: %w", err)
		}
		for line := range strings.Lines(string(content)) {
			seen[strings.TrimSpace(line)] = true
		}
	}
	return seen, nil
}
