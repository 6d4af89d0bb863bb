// Package listen brings events of a running server to an address on the developer's
// own machine, signed as webhooks are. It makes a temporary webhook, polls its events,
// and takes it away at the end.
package listen

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/spec"
	"github.com/avelto/convo/internal/domain/webhook/signature"
)

const (
	poll       = time.Second
	pageSize   = 200
	patience   = 30 * time.Second
	leaveAfter = 5 * time.Second
)

// Options say what to bring where.
type Options struct {
	Server    string // its address, without a path
	Token     string
	Events    []string
	ForwardTo string
	Print     func(format string, args ...any)
}

// Listener brings events.
type Listener struct {
	Options

	client http.Client
	hook   api.WebhookCreated
	after  int64
	away   bool // the last poll failed
}

// Run listens until ctx ends, and then removes the webhook. It fails where the server
// refuses the webhook; whatever goes wrong later is printed, and tried again.
func Run(ctx context.Context, options Options) (err error) {
	l := &Listener{Options: options, client: http.Client{Timeout: patience}}
	if err := l.subscribe(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, l.unsubscribe(ctx)) }()
	l.Print("Listening for %s. Each is sent to %s.\nSigning secret: %s\nCtrl-C ends it.\n",
		strings.Join(l.Events, ", "), l.ForwardTo, *l.hook.SigningSecret)
	for ctx.Err() == nil {
		wait := l.look(ctx)
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	return nil
}

// subscribe makes the webhook, and reads from where on its events count.
func (l *Listener) subscribe(ctx context.Context) error {
	header, _, err := l.ask(ctx, http.MethodGet, "/events?limit=1", nil, http.StatusOK)
	if err != nil {
		return err
	}
	if l.after, err = strconv.ParseInt(header.Get("X-Latest-Sequence"), 10, 64); err != nil {
		return fmt.Errorf("%s does not number its events: %w", l.Server, err)
	}
	temporary := true
	_, body, err := l.ask(ctx, http.MethodPost, "/integrations/webhook", api.WebhookCreate{
		Type: api.WebhookCreateTypeWEBHOOK, URL: l.ForwardTo, Events: l.Events, Temporary: &temporary,
	}, http.StatusCreated)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, &l.hook); err != nil || l.hook.SigningSecret == nil {
		return fmt.Errorf("the server's answer is not a webhook: %w", err)
	}
	return nil
}

// unsubscribe removes the webhook, though ctx has ended.
func (l *Listener) unsubscribe(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), leaveAfter)
	defer cancel()
	if _, _, err := l.ask(ctx, http.MethodDelete, "/integrations/"+l.hook.ID.String(), nil, http.StatusNoContent); err != nil {
		return fmt.Errorf("the temporary webhook stays for a day: %w", err)
	}
	l.Print("Removed the temporary webhook.\n")
	return nil
}

// look polls once and sends on what has come. It returns how long to wait.
func (l *Listener) look(ctx context.Context) time.Duration {
	_, body, err := l.ask(ctx, http.MethodGet, fmt.Sprintf("/events?after=%d&limit=%d", l.after, pageSize), nil, http.StatusOK)
	var page []json.RawMessage
	if err == nil {
		err = json.Unmarshal(body, &page)
	}
	if err != nil {
		if ctx.Err() == nil && !l.away {
			l.Print("%v; trying on\n", err)
		}
		l.away = true
		if refused, ok := errors.AsType[*refusal](err); ok {
			return max(poll, refused.retryAfter)
		}
		return poll
	}
	l.away = false
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

// forward sends one event, if it is wanted, and prints a line.
func (l *Listener) forward(ctx context.Context, raw []byte) {
	var event struct {
		ID       string `json:"id"`
		Type     string `json:"type"`
		Sequence int64  `json:"sequence"`
	}
	if err := json.Unmarshal(raw, &event); err != nil {
		l.Print("an event cannot be read: %v\n", err)
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
	answer, err := l.client.Do(request)
	if err != nil {
		return err.Error()
	}
	_ = answer.Body.Close() // its status is all
	return answer.Status
}

// refusal is an answer other than the wanted one.
type refusal struct {
	text       string
	retryAfter time.Duration
}

// Error says what the server said.
func (r *refusal) Error() string { return r.text }

// ask sends a request to the server and returns its answer, which must have a status.
func (l *Listener) ask(ctx context.Context, method, path string, in any, status int) (http.Header, []byte, error) {
	var body io.Reader
	if in != nil {
		raw, err := json.Marshal(in)
		if err != nil {
			return nil, nil, fmt.Errorf("request: %w", err)
		}
		body = bytes.NewReader(raw)
	}
	request, err := http.NewRequestWithContext(ctx, method, l.Server+spec.BasePath+path, body)
	if err != nil {
		return nil, nil, fmt.Errorf("request: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+l.Token)
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	answer, err := l.client.Do(request)
	if err != nil {
		return nil, nil, fmt.Errorf("ask the server: %w", err)
	}
	defer answer.Body.Close()
	raw, err := io.ReadAll(answer.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("ask the server: %w", err)
	}
	if answer.StatusCode != status {
		return nil, nil, refused(answer, raw)
	}
	return answer.Header, raw, nil
}

func refused(answer *http.Response, body []byte) error {
	r := &refusal{text: "the server answered " + answer.Status}
	if seconds, err := strconv.Atoi(answer.Header.Get("Retry-After")); err == nil {
		r.retryAfter = time.Duration(seconds) * time.Second
	}
	var problem api.Problem
	if json.Unmarshal(body, &problem) == nil && problem.Detail != "" {
		r.text += ": " + problem.Detail
		if problem.Errors != nil {
			for _, field := range *problem.Errors {
				r.text += " " + field.Location + " " + field.Message + "."
			}
		}
	}
	return r
}
