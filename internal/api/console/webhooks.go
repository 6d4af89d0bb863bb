package console

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/webhook/signature"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	webhooksPath       = "/app/settings/webhooks"
	deliveriesShown    = 25
	integrationsShown  = 100
	defaultSecretHours = 24
)

// everything grants all scopes: members of a workspace have full access to it.
func everything(api.Scope) bool { return true }

func (c *console) listWebhooks(w http.ResponseWriter, r *http.Request, v visitor) error {
	limit := int32(integrationsShown)
	request := page.Request{Limit: &limit}
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		request.Cursor = &cursor
	}
	found, err := c.Integrations.List(r.Context(), v.Workspace.ID, request)
	if err != nil {
		return err
	}
	rows := slices.DeleteFunc(found.Rows, func(row db.Integration) bool { return row.Type != api.IntegrationTypeWEBHOOK })
	return c.render(w, r, http.StatusOK, "webhooks", view{Title: "Webhooks", Visitor: v, Page: struct {
		Rows []db.Integration
		Next *string
	}{rows, found.Next}})
}

// webhookForm is the form for a new webhook.
type webhookForm struct {
	Form   string
	URL    string
	Events []eventBox
}

type eventBox struct {
	Name    string
	Checked bool
}

func (c *console) newWebhook(w http.ResponseWriter, r *http.Request, v visitor) error {
	return c.showWebhookForm(w, r, v, http.StatusOK, "", nil, "")
}

func (c *console) showWebhookForm(w http.ResponseWriter, r *http.Request, v visitor, status int, url string, chosen []string, fault string) error {
	form := webhookForm{Form: c.newForm(r), URL: url}
	for name := range c.Document.Events {
		form.Events = append(form.Events, eventBox{string(name), slices.Contains(chosen, string(name))})
	}
	slices.SortFunc(form.Events, func(a, b eventBox) int { return strings.Compare(a.Name, b.Name) })
	return c.render(w, r, status, "webhook-new", view{Title: "New webhook", Visitor: v, Fault: fault, Page: form})
}

func (c *console) createWebhook(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	if !c.sendForm(r) {
		return c.back(w, r, webhooksPath, "This form was already submitted. No new webhook was created.")
	}
	in := integration.NewWebhook{URL: strings.TrimSpace(r.PostForm.Get("url")), Events: r.PostForm["event"]}
	if len(in.Events) == 0 {
		return c.showWebhookForm(w, r, v, http.StatusUnprocessableEntity, in.URL, nil, "Select at least one event.")
	}
	var row db.Integration
	var secret string
	err := c.recorded(r, v, "webhook.created", in.URL, func(ctx context.Context, on postgres.Conn) (_ bool, err error) {
		row, secret, err = c.Integrations.CreateWebhook(ctx, on, v.Workspace.ID, everything, in)
		return true, err
	})
	if invalid, ok := errors.AsType[*integration.InvalidURLError](err); ok {
		return c.showWebhookForm(w, r, v, http.StatusUnprocessableEntity, in.URL, in.Events, "The URL "+invalid.Reason+".")
	} else if errors.Is(err, integration.ErrTooManyWebhooks) {
		fault := fmt.Sprintf("The workspace has %d webhooks. Delete one first.", integration.MaxWebhooks)
		return c.showWebhookForm(w, r, v, http.StatusConflict, in.URL, in.Events, fault)
	} else if err != nil {
		return err
	}
	return c.showSecret(w, r, v, "Webhook created", row.ID, secret, "")
}

func (c *console) showSecret(w http.ResponseWriter, r *http.Request, v visitor, title string, webhookID uuid.UUID, secret, more string) error {
	return c.render(w, r, http.StatusOK, "webhook-secret", view{Title: title, Visitor: v, Page: struct {
		ID                     uuid.UUID
		Secret, Standard, More string
	}{webhookID, secret, signature.Standard(secret), more}})
}

// delivery is a delivery with its decoded attempts.
type delivery struct {
	db.WebhookDeliveryListRow

	Attempts []api.WebhookAttempt
}

// webhook returns the webhook in the path.
func (c *console) webhook(r *http.Request, v visitor) (db.Integration, error) {
	webhookID, err := pathID(r, "id")
	if err != nil {
		return db.Integration{}, err
	}
	row, err := c.Integrations.Get(r.Context(), v.Workspace.ID, webhookID)
	if err == nil && row.Type != api.IntegrationTypeWEBHOOK {
		return row, problem.NotFound()
	}
	return row, err
}

func (c *console) showWebhook(w http.ResponseWriter, r *http.Request, v visitor) error {
	row, err := c.webhook(r, v)
	if err != nil {
		return err
	}
	limit := int32(deliveriesShown)
	request := page.Request{Limit: &limit}
	if cursor := r.URL.Query().Get("cursor"); cursor != "" {
		request.Cursor = &cursor
	}
	found, err := c.Integrations.Deliveries(r.Context(), v.Workspace.ID, row.ID, everything, request)
	if err != nil {
		return err
	}
	shown := make([]delivery, len(found.Rows))
	for i, one := range found.Rows {
		shown[i].WebhookDeliveryListRow = one
		if err := json.Unmarshal(one.WebhookDelivery.Attempts, &shown[i].Attempts); err != nil {
			return fmt.Errorf("attempts of %s: %w", one.WebhookDelivery.ID, err)
		}
		slices.Reverse(shown[i].Attempts) // newest first
	}
	return c.render(w, r, http.StatusOK, "webhook", view{Title: "Webhook", Visitor: v, Page: struct {
		Webhook    db.Integration
		Deliveries []delivery
		Next       *string
		Form       string
		Disabled   bool
	}{row, shown, found.Next, c.newForm(r), row.Status == api.IntegrationStatusDISABLED}})
}

func (c *console) testWebhook(w http.ResponseWriter, r *http.Request, v visitor) error {
	row, err := c.webhook(r, v)
	if err != nil {
		return err
	}
	if err := c.record(r, v, "webhook.tested", *row.URL); err != nil {
		return err
	}
	attempt, err := c.Integrations.Ping(r.Context(), v.Workspace.ID, row.ID, everything)
	if err != nil {
		return err
	}
	page := webhooksPath + "/" + row.ID.String()
	switch {
	case attempt.OK():
		return c.back(w, r, page, fmt.Sprintf("The test event succeeded: status %d in %d ms.", attempt.Status, attempt.Duration.Milliseconds()))
	case attempt.Error != "":
		return c.backFailed(w, r, page, "The test event failed: "+attempt.Error+".")
	}
	return c.backFailed(w, r, page, fmt.Sprintf("The test event failed: the endpoint returned status %d.", attempt.Status))
}

// change updates the webhook in the path and records the action in the audit log.
func (c *console) change(w http.ResponseWriter, r *http.Request, v visitor, action, notice, to string, do func(ctx context.Context, on postgres.Conn, row db.Integration) error) error {
	row, err := c.webhook(r, v)
	if err != nil {
		return err
	}
	err = c.recorded(r, v, action, *row.URL, func(ctx context.Context, on postgres.Conn) (bool, error) {
		return true, do(ctx, on, row)
	})
	if err != nil {
		return err
	}
	if to == "" {
		to = webhooksPath + "/" + row.ID.String()
	}
	return c.back(w, r, to, notice)
}

func (c *console) switchWebhook(w http.ResponseWriter, r *http.Request, v visitor) error {
	status, action, notice := api.IntegrationStatusDISABLED, "webhook.disabled", "Webhook disabled."
	if api.IntegrationStatus(r.PostFormValue("status")) == api.IntegrationStatusCONNECTED {
		status, action, notice = api.IntegrationStatusCONNECTED, "webhook.enabled", "Webhook enabled."
	}
	return c.change(w, r, v, action, notice, "", func(ctx context.Context, on postgres.Conn, row db.Integration) error {
		_, err := c.Integrations.Update(ctx, on, v.Workspace.ID, row.ID, everything, integration.Change{Status: &status})
		return err
	})
}

func (c *console) deleteWebhook(w http.ResponseWriter, r *http.Request, v visitor) error {
	return c.change(w, r, v, "webhook.deleted", "Webhook deleted.", webhooksPath, func(ctx context.Context, on postgres.Conn, row db.Integration) error {
		return c.Integrations.Delete(ctx, on, v.Workspace.ID, row.ID, everything)
	})
}

func (c *console) redeliver(w http.ResponseWriter, r *http.Request, v visitor) error {
	deliveryID, err := pathID(r, "delivery")
	if err != nil {
		return err
	}
	return c.change(w, r, v, "webhook.redelivered", "The delivery was queued again.", "", func(ctx context.Context, on postgres.Conn, row db.Integration) error {
		_, err := c.Integrations.Redeliver(ctx, on, v.Workspace.ID, row.ID, deliveryID, everything)
		return err
	})
}

func (c *console) rotateSecret(w http.ResponseWriter, r *http.Request, v visitor) error {
	hours := defaultSecretHours
	if text := r.PostFormValue("overlapHours"); text != "" {
		var err error
		if hours, err = strconv.Atoi(text); err != nil || hours < 0 || hours > maxOverlap {
			return problem.Malformed("The overlap must be 0 to 168 hours.")
		}
	}
	row, err := c.webhook(r, v)
	if err != nil {
		return err
	}
	if !c.sendForm(r) {
		return c.back(w, r, webhooksPath+"/"+row.ID.String(), "This form was already submitted. No new secret was created.")
	}
	var secret string
	err = c.recorded(r, v, "webhook.secret_rotated", *row.URL, func(ctx context.Context, on postgres.Conn) (_ bool, err error) {
		secret, _, err = c.Integrations.RotateSecret(ctx, on, v.Workspace.ID, row.ID, everything, time.Duration(hours)*time.Hour)
		return true, err
	})
	if err != nil {
		return err
	}
	return c.showSecret(w, r, v, "Secret rotated", row.ID, secret, fmt.Sprintf("Requests are also signed with the old secret for %d more hours.", hours))
}
