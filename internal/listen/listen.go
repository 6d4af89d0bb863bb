// Package listen forwards events from a running server to a local URL, signed like
// webhook requests. It creates a temporary webhook, polls for events, and deletes the
// webhook at the end.
package listen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/internal/remote"
)

const (
	poll          = time.Second
	pageSize      = 200
	timeout       = 30 * time.Second
	deleteTimeout = 5 * time.Second
)

// Options configures a Listener.
type Options struct {
	Server    string // origin of the server, without a path
	Token     string
	Events    []string
	ForwardTo string
	Print     func(format string, args ...any)
}

// Listener polls for events and forwards them.
type Listener struct {
	Options

	server *remote.Server
	client http.Client // of the receiver
	hook   api.WebhookCreated
	after  int64
	failed bool // the last poll failed
}

// Run forwards events until ctx is canceled, and then deletes the webhook. It returns an
// error if the server rejects the webhook. Later errors are printed and retried.
func Run(ctx context.Context, options Options) (err error) {
	l := &Listener{Options: options, server: remote.New(options.Server, options.Token), client: http.Client{Timeout: timeout}}
	if err := l.subscribe(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.unsubscribe(ctx)) }()
	l.Print("Listening for %s. Forwarding to %s.\nSigning secret: %s\nPress Ctrl-C to stop.\n",
		strings.Join(l.Events, ", "), l.ForwardTo, *l.hook.SigningSecret)
	for ctx.Err() == nil {
		wait := l.pollOnce(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// subscribe creates the webhook and reads the sequence number of the latest event.
func (l *Listener) subscribe(ctx context.Context) error {
	header, _, err := l.server.Send(ctx, http.MethodGet, "/events?limit=1", nil, http.StatusOK)
	if err != nil {
		return err
	}
	if l.after, err = strconv.ParseInt(header.Get("X-Latest-Sequence"), 10, 64); err != nil {
		return fmt.Errorf("%s returned no X-Latest-Sequence: %w", l.Server, err)
	}
	temporary := true
	_, body, err := l.server.Send(ctx, http.MethodPost, "/integrations/webhook", api.WebhookCreate{
		Type: api.WebhookCreateTypeWEBHOOK, URL: l.ForwardTo, Events: l.Events, Temporary: &temporary,
	}, http.StatusCreated)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &l.hook); err != nil || l.hook.SigningSecret == nil {
		return fmt.Errorf("unexpected response to the creation of the webhook: %w", err)
	}
	return nil
}

// unsubscribe deletes the webhook, even if ctx is canceled.
func (l *Listener) unsubscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), deleteTimeout)
	defer cancel()
	if _, _, err := l.server.Send(ctx, http.MethodDelete, "/integrations/"+l.hook.ID.String(), nil, http.StatusNoContent); err != nil {
		return fmt.Errorf("the temporary webhook could not be deleted and expires within a day: %w", err)
	}
	l.Print("Deleted the temporary webhook.\n")
	return nil
}

// pollOnce fetches new events and forwards them. It returns how long to wait before the
// next poll.
func (l *Listener) pollOnce(ctx context.Context) time.Duration {
	_, body, err := l.server.Send(ctx, http.MethodGet, fmt.Sprintf("/events?after=%d&limit=%d", l.after, pageSize), nil, http.StatusOK)
	var page []json.RawMessage
	if err == nil {
		err = json.Unmarshal(body, &page)
	}
	if err != nil {
		if ctx.Err() == nil && !l.failed {
			l.Print("%v; retrying\n", err)
		}
		l.failed = true
		if unexpected, ok := errors.AsType[*remote.StatusError](err); ok {
			return max(poll, unexpected.RetryAfter)
		}
		return poll
	}
	l.failed = false
	for _, raw := range page {
		if ctx.Err() != nil {
			return 0
		}
		l.forward(ctx, raw)
	}
	if len(page) == pageSize {
		return 0
	}
	return poll
}

// forward sends an event if its type is selected, and prints a line.
func (l *Listener) forward(ctx context.Context, raw []byte) {
	var event struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Sequence int64  `json:"sequence"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		l.Print("malformed event: %v\n", err)
		return
	}
	l.after = max(l.after, event.Sequence)
	if !slices.Contains(l.Events, event.Type) {
		return
	}
	started := time.Now()
	result := l.post(ctx, event.ID, raw)
	l.Print("%s  %-28s %s  -> %s in %s\n", started.Format(time.TimeOnly), event.Type, event.ID, result, time.Since(started).Round(time.Millisecond))
}

func (l *Listener) post(ctx context.Context, eventID string, body []byte) string {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, l.ForwardTo, bytes.NewReader(body))
	if err != nil {
		return err.Error()
	}
	request.Header.Set("Content-Type", "application/json")
	signature.Sign(request.Header, []string{*l.hook.SigningSecret}, eventID, time.Now(), body)
	response, err := l.client.Do(request)
	if err != nil {
		return err.Error()
	}
	_ = response.Body.Close() // only the status is used
	return response.Status
}
