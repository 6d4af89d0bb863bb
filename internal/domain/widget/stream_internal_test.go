package widget

import (
	"encoding/json"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	api "github.com/avelto/convo/gen/api/model"
)

func TestAPanicWhileReadingIsAnError(t *testing.T) {
	t.Parallel()
	require.ErrorContains(t, apart(func() error { panic("broken") }), "panic: broken")
	broken := errors.New("broken")
	require.ErrorIs(t, apart(func() error { return broken }), broken)
	require.NoError(t, apart(func() error { return nil }))
}

// events keeps the events of a stream.
type events []Event

func (e *events) Events(more []Event) error {
	*e = append(*e, more...)
	return nil
}

func (*events) Heartbeat() error { return nil }

func TestSignalsArePassedOnUnlessTheyAreTheVisitorsOwn(t *testing.T) {
	t.Parallel()
	var passed events
	for _, signal := range []string{
		`{"author":"AGENT","on":true}`, `{"author":"AGENT","on":true,"draft":"We do"}`, `{"author":"AGENT","on":true,"draft":""}`,
		`{"author":"CONTACT","on":true}`, `{"author":"CONTACT","on":true,"draft":"I"}`, `{"author":"someone","on":true}`, `{}`, `7`,
	} {
		require.NoError(t, pass(&passed, json.RawMessage(signal)))
	}
	require.Equal(t, events{
		{Name: "typing", Data: api.WidgetTypingEvent{Author: api.MessageAuthorTypeAGENT, On: true}},
		{Name: "typing", Data: api.WidgetTypingEvent{Author: api.MessageAuthorTypeAGENT, On: true, Draft: new("We do")}},
		{Name: "typing", Data: api.WidgetTypingEvent{Author: api.MessageAuthorTypeAGENT, On: true, Draft: new("")}},
	}, passed)
}
