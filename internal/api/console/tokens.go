package console

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	tokensPath   = "/app/settings/api-tokens" //nolint:gosec // a path, not a credential
	maxTokenName = 100
	maxDays      = 3650
	maxOverlap   = 168 // hours
	day          = 24 * time.Hour
)

// expiry is an option for the lifetime of a token.
type expiry struct{ Days, Text string }

var expiries = []expiry{{"7", "in 7 days"}, {"30", "in 30 days"}, {"90", "in 90 days"}, {"365", "in a year"}, {"", "never"}}

// tokenRow is a token in the list.
type tokenRow struct {
	db.APIToken

	Creator string
	State   string // active, revoked or expired
	Live    bool
}

func (c *console) listTokens(w http.ResponseWriter, r *http.Request, v visitor) error {
	listed, err := c.Tokens.List(r.Context(), v.Workspace.ID)
	if err != nil {
		return err
	}
	now := c.Clock.Now()
	rows := make([]tokenRow, len(listed))
	for i, one := range listed {
		row := tokenRow{APIToken: one.APIToken, Creator: "command line or a deleted user", State: "active", Live: token.Live(one.APIToken, now)}
		if one.Creator != nil {
			row.Creator = *one.Creator
		}
		switch {
		case row.RevokedAt != nil:
			row.State = "revoked"
		case !row.Live:
			row.State = "expired"
		}
		rows[i] = row
	}
	slices.SortStableFunc(rows, func(a, b tokenRow) int { // active tokens first
		switch {
		case a.Live == b.Live:
			return 0
		case a.Live:
			return -1
		}
		return 1
	})
	return c.render(w, r, http.StatusOK, "tokens", view{Title: "API tokens", Visitor: v, Page: rows})
}

// tokenForm is the form for a new token.
type tokenForm struct {
	Form   string
	Name   string
	Days   string
	Scopes []scopeBox
}

type scopeBox struct {
	scopeChoice

	Checked bool
}

func (c *console) newToken(w http.ResponseWriter, r *http.Request, v visitor) error {
	return c.showTokenForm(w, r, v, http.StatusOK, tokenForm{Days: "90"}, nil, "")
}

func (c *console) showTokenForm(w http.ResponseWriter, r *http.Request, v visitor, status int, form tokenForm, chosen []string, fault string) error {
	form.Form = c.newForm(r)
	for _, choice := range c.scopes {
		form.Scopes = append(form.Scopes, scopeBox{choice, slices.Contains(chosen, string(choice.Name))})
	}
	return c.render(w, r, status, "token-new", view{Title: "New API token", Visitor: v, Fault: fault, Page: form})
}

func (c *console) createToken(w http.ResponseWriter, r *http.Request, v visitor) error {
	if err := r.ParseForm(); err != nil {
		return formError(err)
	}
	if !c.sendForm(r) {
		return c.back(w, r, tokensPath, "This form was already submitted. No new token was created.")
	}
	form := tokenForm{Name: strings.TrimSpace(r.PostForm.Get("name")), Days: r.PostForm.Get("days")}
	wanted, fault := readToken(form, r.PostForm["scope"])
	if fault != "" {
		return c.showTokenForm(w, r, v, http.StatusUnprocessableEntity, form, r.PostForm["scope"], fault)
	}
	wanted.WorkspaceID, wanted.CreatedBy = v.Workspace.ID, &v.User.ID
	var plaintext string
	var row db.APIToken
	err := c.recorded(r, v, "api_token.created", wanted.Name, func(ctx context.Context, on postgres.Conn) (_ bool, err error) {
		plaintext, row, err = c.Tokens.Create(ctx, on, wanted)
		return true, err
	})
	if err != nil {
		return err
	}
	return c.showPlaintext(w, r, v, "Token created", row, plaintext, "")
}

// readToken validates the form. fault is the message for the user if it is invalid.
func readToken(form tokenForm, scopes []string) (wanted token.NewToken, fault string) {
	wanted.Name = form.Name
	if _, err := label.Clean(form.Name); err != nil || utf8.RuneCountInString(form.Name) > maxTokenName || !utf8.ValidString(form.Name) {
		return wanted, "Enter a name of 1 to 100 characters, without invisible ones."
	}
	for _, name := range scopes {
		scope := api.Scope(name)
		if !scope.Valid() {
			return wanted, "Unknown scope."
		}
		wanted.Scopes = append(wanted.Scopes, scope)
	}
	if form.Days != "" {
		days, err := strconv.Atoi(form.Days)
		if err != nil || days < 1 || days > maxDays {
			return wanted, "The lifetime must be 1 to 3650 days."
		}
		life := time.Duration(days) * day
		wanted.ExpiresIn = &life
	}
	return wanted, ""
}

// showPlaintext renders a new token. It can be shown only once: the page is not cached
// and has no URL of its own.
func (c *console) showPlaintext(w http.ResponseWriter, r *http.Request, v visitor, title string, row db.APIToken, plaintext, more string) error {
	return c.render(w, r, http.StatusOK, "token-created", view{Title: title, Visitor: v, Page: struct {
		Token           db.APIToken
		Plaintext, More string
	}{row, plaintext, more}})
}

// liveToken returns the token in the path if it is active.
func (c *console) liveToken(r *http.Request, v visitor) (db.APIToken, error) {
	tokenID, err := pathID(r, "id")
	if err != nil {
		return db.APIToken{}, err
	}
	row, err := c.Tokens.Get(r.Context(), v.Workspace.ID, tokenID)
	if err == nil && !token.Live(row, c.Clock.Now()) {
		return row, problem.NotFound()
	}
	return row, err
}

func (c *console) askRotateToken(w http.ResponseWriter, r *http.Request, v visitor) error {
	return c.askToken(w, r, v, "token-rotate", "Rotate API token")
}

func (c *console) askRevokeToken(w http.ResponseWriter, r *http.Request, v visitor) error {
	return c.askToken(w, r, v, "token-revoke", "Revoke API token")
}

// askToken renders the confirmation page for an action on a token.
func (c *console) askToken(w http.ResponseWriter, r *http.Request, v visitor, name, title string) error {
	row, err := c.liveToken(r, v)
	if err != nil {
		return err
	}
	return c.render(w, r, http.StatusOK, name, view{Title: title, Visitor: v, Page: struct {
		Token db.APIToken
		Form  string
	}{row, c.newForm(r)}})
}

func (c *console) rotateToken(w http.ResponseWriter, r *http.Request, v visitor) error {
	hours, err := strconv.Atoi(r.PostFormValue("overlapHours"))
	if err != nil || hours < 0 || hours > maxOverlap {
		return problem.Malformed("The overlap must be 0 to 168 hours.")
	}
	if !c.sendForm(r) {
		return c.back(w, r, tokensPath, "This form was already submitted. No new token was created.")
	}
	old, err := c.liveToken(r, v)
	if err != nil {
		return err
	}
	var plaintext string
	var row db.APIToken
	err = c.recorded(r, v, "api_token.rotated", old.Name, func(ctx context.Context, on postgres.Conn) (_ bool, err error) {
		plaintext, row, err = c.Tokens.Rotate(ctx, on, v.Workspace.ID, old.ID, &v.User.ID, time.Duration(hours)*time.Hour)
		return true, err
	})
	if errors.Is(err, token.ErrNotLive) {
		return problem.NotFound()
	} else if err != nil {
		return err
	}
	more := "The old token no longer works."
	if hours > 0 {
		more = "The old token expires in " + strconv.Itoa(hours) + " hours at the latest."
	}
	return c.showPlaintext(w, r, v, "Token rotated", row, plaintext, more)
}

func (c *console) revokeToken(w http.ResponseWriter, r *http.Request, v visitor) error {
	row, err := c.liveToken(r, v)
	if err != nil {
		return err
	}
	err = c.recorded(r, v, "api_token.revoked", row.Name, func(ctx context.Context, on postgres.Conn) (bool, error) {
		return c.Tokens.Revoke(ctx, on, v.Workspace.ID, row.ID)
	})
	if err != nil {
		return err
	}
	return c.back(w, r, tokensPath, "Token “"+row.Name+"” revoked.")
}
