package console

import (
	"context"
	"strconv"
	"strings"

	"github.com/google/uuid"
)

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

// mostCounted is up to where conversations are counted.
const mostCounted = 100

// navigation returns the sections of the console, and marks the one that a path is in.
func (c *console) navigation(ctx context.Context, v visitor, path string) []group {
	if v.Workspace.ID == uuid.Nil {
		return nil
	}
	inbox := section{Title: "Inbox", Path: inboxPath}
	// A page is shown without the count if it cannot be read.
	if n, err := c.Conversations.CountHandedOff(ctx, v.Workspace.ID, mostCounted); err == nil && n > 0 {
		inbox.Count, inbox.CountLabel = strconv.FormatInt(n, 10), "with operators"
		if n == mostCounted {
			inbox.Count = strconv.Itoa(mostCounted-1) + "+"
		}
	}
	work := []section{inbox, {Title: "Analytics", Path: "/app/analytics"}}
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
