package event

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/postgres"
)

// Types maps each event type to the scope that is required to read its data. An empty
// scope means that none is required.
type Types map[api.EventType]api.Scope

// UnknownTypesError lists which of the given names are not event types.
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

// readable returns the types whose data a token may read.
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

// After returns the events with a number above after that a token may read, oldest
// first, and the number of the workspace's latest event, or 0 if it has none. Events that
// are committed later have higher numbers.
func (f *Feed) After(ctx context.Context, workspaceID uuid.UUID, has func(api.Scope) bool, after int64, limit int32) (rows []db.Event, latest int64, err error) {
	// This is read first, so that an event committed between the two queries is not skipped.
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

// list reads about one page of index entries, even if few events have the types.
func (f *Feed) list(ctx context.Context, workspaceID uuid.UUID, types []string, after int64, limit int32) ([]db.Event, error) {
	if len(types) == len(f.Types) {
		return db.New().EventList(ctx, f.DB, db.EventListParams{WorkspaceID: workspaceID, After: after, Types: types, RowLimit: limit})
	}
	return db.New().EventListByType(ctx, f.DB, db.EventListByTypeParams{WorkspaceID: workspaceID, After: after, Types: types, RowLimit: limit})
}
