package event

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Types say which scope reads an event's data; an empty one stands for none.
type Types map[api.EventType]api.Scope

// UnknownTypesError lists which of the given names are no event types.
type UnknownTypesError struct {
	Indexes []int    // into the names that were given
	Known   []string // every event type, sorted
}

// Error implements error.
func (e *UnknownTypesError) Error() string {
	return fmt.Sprintf("event: unknown types at %v", e.Indexes)
}

// Check returns the names without duplicates, in their order. It fails with
// *UnknownTypesError, and with *token.MissingScopeError where the token cannot read
// one of them.
func (t Types) Check(names []string, has func(api.Scope) bool) ([]string, error) {
	unknown := &UnknownTypesError{Known: t.names()}
	for i, name := range names {
		if _, ok := t[api.EventType(name)]; !ok {
			unknown.Indexes = append(unknown.Indexes, i)
		}
	}
	if len(unknown.Indexes) > 0 {
		return nil, unknown
	}
	if err := t.Authorize(names, has); err != nil {
		return nil, err
	}
	var distinct []string // in the caller's order
	for _, name := range names {
		if !slices.Contains(distinct, name) {
			distinct = append(distinct, name)
		}
	}
	return distinct, nil
}

// Authorize fails with *token.MissingScopeError if the token cannot read one of the
// events. Names that are no longer in the document need no scope.
func (t Types) Authorize(names []string, has func(api.Scope) bool) error {
	for _, name := range names {
		if scope := t[api.EventType(name)]; scope != "" && !has(scope) {
			return &token.MissingScopeError{Scope: scope}
		}
	}
	return nil
}

func (t Types) names() []string {
	all := make([]string, 0, len(t))
	for name := range t {
		all = append(all, string(name))
	}
	slices.Sort(all)
	return all
}

// readable are the types whose data a token reads.
func (t Types) readable(has func(api.Scope) bool) []string {
	return slices.DeleteFunc(t.names(), func(name string) bool {
		scope := t[api.EventType(name)]
		return scope != "" && !has(scope)
	})
}

// Feed reads events in order.
type Feed struct {
	DB    *postgres.DB
	Types Types
}

// After returns events that a token may read with a number above after, oldest
// first, and the number of the workspace's latest event, 0 before the first. What
// is committed later has a higher number.
func (f *Feed) After(ctx context.Context, workspaceID uuid.UUID, has func(api.Scope) bool, after int64, limit int32) (rows []db.Event, latest int64, err error) {
	// First: an event that comes meanwhile must not be thought read.
	latest, err = db.New().EventLatest(ctx, f.DB, db.EventLatestParams{WorkspaceID: workspaceID})
	if err != nil && !postgres.IsNotFound(err) {
		return nil, 0, fmt.Errorf("latest event: %w", err)
	}
	rows, err = f.list(ctx, workspaceID, f.Types.readable(has), after, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("list events: %w", err)
	}
	return rows, latest, nil
}

// list visits about a page of events, however few of them are of the types.
func (f *Feed) list(ctx context.Context, workspaceID uuid.UUID, types []string, after int64, limit int32) ([]db.Event, error) {
	if len(types) == len(f.Types) {
		return db.New().EventList(ctx, f.DB, db.EventListParams{WorkspaceID: workspaceID, After: after, Types: types, RowLimit: limit})
	}
	return db.New().EventListByType(ctx, f.DB, db.EventListByTypeParams{WorkspaceID: workspaceID, After: after, Types: types, RowLimit: limit})
}
