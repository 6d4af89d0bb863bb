package console

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/platform/ratelimit"
)

// Keys of the session data.
const (
	keyUser      = "user"
	keyWorkspace = "workspace"
	keySince     = "since"   // time of the sign-in, in Unix milliseconds
	keyNotice    = "notice"  // message for the next page
	keyFailure   = "failure" // the same, about what has failed
	keyForms     = "forms"   // one-time tokens of open forms
)

// The workspace that was opened last outlives the session. Its ID is no secret.
const (
	cookieWorkspace = "convo_workspace"
	cookieLife      = 365 * 24 * time.Hour
)

// mostForms is the maximum number of open forms per session.
const mostForms = 20

// accountDelay is added to each sign-in after many attempts on its account.
const accountDelay = 2 * time.Second

// signInForm is the model of the sign-in page.
type signInForm struct{ Email, Next string }

func (c *console) showSignIn(w http.ResponseWriter, r *http.Request) {
	if _, err := c.visitor(r.Context()); err == nil {
		http.Redirect(w, r, next(r.URL.Query().Get("next")), http.StatusSeeOther) //nolint:gosec // next only returns paths of the console
		return
	}
	c.renderSignIn(w, r, http.StatusOK, signInForm{Next: r.URL.Query().Get("next")}, "")
}

func (c *console) renderSignIn(w http.ResponseWriter, r *http.Request, status int, form signInForm, fault string) {
	if err := c.render(w, r, status, "sign-in", view{Title: "Sign in", Fault: fault, Page: form}); err != nil {
		c.fail(w, r, visitor{}, err)
	}
}

// next returns where to redirect after signing in. It only returns paths of the console,
// so that it is not an open redirect.
func next(asked string) string {
	parsed, err := url.Parse(asked)
	if err != nil || parsed.IsAbs() || parsed.Host != "" || !strings.HasPrefix(parsed.Path, "/app/") || strings.ContainsAny(asked, "\\\r\n") {
		return homePath
	}
	return asked
}

func (c *console) signIn(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, maxForm)
	if err := r.ParseForm(); err != nil {
		c.fail(w, r, visitor{}, formError(err))
		return
	}
	email, password := strings.TrimSpace(r.PostForm.Get("email")), r.PostForm.Get("password")
	form := signInForm{Email: email, Next: r.PostForm.Get("next")}
	wait, err := c.throttle(r, email)
	if err != nil {
		c.fail(w, r, visitor{}, err)
		return
	}
	if wait > 0 {
		seconds := strconv.Itoa(int(math.Ceil(wait.Seconds())))
		w.Header().Set("Retry-After", seconds)
		c.renderSignIn(w, r, http.StatusTooManyRequests, form, "Too many attempts. Try again in "+seconds+" seconds.")
		return
	}
	who, err := c.Users.Authenticate(r.Context(), email, password)
	switch {
	case errors.Is(err, user.ErrCredentials):
		if err := c.recordSignIn(r, who, "sign_in.refused"); err != nil {
			c.fail(w, r, visitor{}, err)
			return
		}
		c.renderSignIn(w, r, http.StatusUnauthorized, form, "Incorrect email address or password.")
	case err != nil:
		c.fail(w, r, visitor{}, err)
	default:
		if err := c.begin(r, who); err != nil {
			c.fail(w, r, visitor{}, err)
			return
		}
		http.Redirect(w, r, next(form.Next), http.StatusSeeOther)
	}
}

// formError converts an error from parsing a form.
func formError(err error) error {
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return err
	}
	return problem.Malformed("The form could not be read.").WithCause(err)
}

// throttle counts a sign-in attempt per IP address, and per account and IP address. It
// returns how long to wait, or 0. Attempts are counted even if the account does not exist.
// No one can lock an account from another address: many attempts on one account, from
// whichever addresses, only delay each further one.
func (c *console) throttle(r *http.Request, email string) (time.Duration, error) {
	sum := sha256.Sum256([]byte(strings.ToLower(email)))
	address, account := ratelimit.Network(c.ClientIP(r)), hex.EncodeToString(sum[:])
	var wait time.Duration
	for _, key := range []string{"sign-in ip " + address, "sign-in ip " + address + " account " + account} {
		taken, err := c.Limiter.Take(r.Context(), key, c.signIns.Limit)
		if err != nil {
			return 0, fmt.Errorf("throttle: %w", err)
		}
		if !taken.Allowed {
			wait = max(wait, taken.ResetAfter, time.Second)
		}
	}
	if wait > 0 {
		return wait, nil // attempts that are rejected must not delay those of others
	}
	return 0, c.delay(r.Context(), account)
}

// delay waits if there have been many sign-in attempts on an account.
func (c *console) delay(ctx context.Context, account string) error {
	taken, err := c.Limiter.Take(ctx, "sign-in account "+account, c.signIns.Limit)
	if err != nil || taken.Allowed {
		return err
	}
	select {
	case <-time.After(accountDelay):
		return nil
	case <-ctx.Done():
		return fmt.Errorf("delay sign-in: %w", ctx.Err())
	}
}

// recordSignIn records a sign-in in the workspaces of the user, if the account exists. It
// runs the same statement if it does not, so that response times do not reveal which
// accounts exist.
func (c *console) recordSignIn(r *http.Request, who db.User, action string) error {
	return c.Audit.RecordUser(r.Context(), c.DB, c.entry(r, who, uuid.Nil, action, who.Email))
}

// begin starts a session with a new cookie, in the workspace that the user has switched to
// last in this browser.
func (c *console) begin(r *http.Request, who db.User) error {
	ctx := r.Context()
	if err := c.sessions.RenewToken(ctx); err != nil {
		return fmt.Errorf("new session: %w", err)
	}
	c.sessions.Put(ctx, keyUser, who.ID.String())
	c.sessions.Put(ctx, keySince, c.Clock.Now().UnixMilli())
	if last, err := r.Cookie(cookieWorkspace); err == nil {
		c.sessions.Put(ctx, keyWorkspace, last.Value) // ignored unless the user is a member
	}
	return c.recordSignIn(r, who, "sign_in.succeeded")
}

func (c *console) signOut(w http.ResponseWriter, r *http.Request, _ visitor) error {
	if err := c.sessions.Destroy(r.Context()); err != nil {
		return fmt.Errorf("end session: %w", err)
	}
	http.Redirect(w, r, "/app/sign-in", http.StatusSeeOther)
	return nil
}

func (c *console) switchWorkspace(w http.ResponseWriter, r *http.Request, v visitor) error {
	wanted := r.PostFormValue("workspace")
	for _, workspace := range v.Workspaces {
		if workspace.ID.String() == wanted {
			c.sessions.Put(r.Context(), keyWorkspace, wanted)
			http.SetCookie(w, &http.Cookie{ //nolint:gosec // secure if the server is reached over HTTPS
				Name: cookieWorkspace, Value: wanted, Path: Path, MaxAge: int(cookieLife.Seconds()),
				HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: c.sessions.Cookie.Secure,
			})
			http.Redirect(w, r, homePath, http.StatusSeeOther)
			return nil
		}
	}
	return problem.NotFound()
}

// newForm returns a one-time token for a form. Reloading a page that shows a secret must
// not create another secret.
func (c *console) newForm(r *http.Request) string {
	token := rand.Text()
	open := append(c.openForms(r), token)
	open = open[max(0, len(open)-mostForms):] // bound the size of the session
	c.sessions.Put(r.Context(), keyForms, strings.Join(open, " "))
	return token
}

// sendForm redeems the one-time token of a form. It reports false if the token was
// already used.
func (c *console) sendForm(r *http.Request) bool {
	open := c.openForms(r)
	i := slices.Index(open, r.PostFormValue("form"))
	if i < 0 {
		return false
	}
	c.sessions.Put(r.Context(), keyForms, strings.Join(slices.Delete(open, i, i+1), " "))
	return true
}

func (c *console) openForms(r *http.Request) []string {
	return strings.Fields(c.sessions.GetString(r.Context(), keyForms))
}
