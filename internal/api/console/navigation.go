package console

import "strings"

// section is a link of the navigation.
type section struct {
	Title, Path string
	Current     bool
	// Count is shown next to the title unless it is empty.
	Count, CountLabel string
}

// group is a part of the navigation. The first one has no name.
type group struct {
	Name     string
	Sections []section
}

// navigation returns the sections of the console, and marks the one that a path is in.
func (c *console) navigation(path string) []group {
	work := []section{{Title: "Analytics", Path: homePath}}
	if c.Simulators != nil {
		work = append(work, section{Title: "Simulator", Path: simulatorPath})
	}
	groups := []group{
		{Sections: work},
		{Name: "Settings", Sections: []section{
			{Title: "API tokens", Path: "/app/settings/api-tokens"},
			{Title: "Webhooks", Path: "/app/settings/webhooks"},
			{Title: "Members", Path: membersPath},
			{Title: "Audit log", Path: "/app/settings/audit"},
		}},
	}
	for _, one := range groups {
		for i := range one.Sections {
			at := one.Sections[i].Path
			one.Sections[i].Current = path == at || strings.HasPrefix(path, at+"/")
		}
	}
	return groups
}
