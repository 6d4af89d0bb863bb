package console_test

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/testing/apitest"
)

func TestMembersAreListedAndRemoved(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	ours, theirs := s.Workspace(t, "acme"), s.Workspace(t, "other")
	me := member(t, s, ours)
	add := func(address, name string, workspaces ...uuid.UUID) string {
		row, err := users(s).Create(t.Context(), user.New{Email: address, Name: name, Password: password}, workspaces...)
		require.NoError(t, err)
		return row.ID.String()
	}
	jan := add("jan@example.com", "Jan <b>", ours, theirs)
	stranger := add("eve@example.com", "Eve", theirs)
	p, his := signedIn(t, s), newPerson(t, s)
	his.post(t, "/app/sign-in", url.Values{"email": {"jan@example.com"}, "password": {password}}).want(t, http.StatusSeeOther)
	his.get(t, "/app/settings/members").want(t, http.StatusOK)

	list := p.get(t, "/app/settings/members").want(t, http.StatusOK)
	for _, part := range []string{"Jan &lt;b&gt;", "jan@example.com", email, "you", "30 Apr 2026", "/app/settings/members/" + jan + "/remove"} {
		require.Contains(t, list.Body, part)
	}
	require.NotContains(t, list.Body, "Eve", "a member of another workspace")
	require.NotContains(t, list.Body, me.ID.String(), "no one can remove themselves")
	for _, other := range []string{stranger, uuid.NewString(), "x"} {
		p.get(t, "/app/settings/members/"+other+"/remove").want(t, http.StatusNotFound)
		p.post(t, "/app/settings/members/"+other+"/remove", nil).want(t, http.StatusNotFound)
	}
	require.Contains(t, p.post(t, "/app/settings/members/"+me.ID.String()+"/remove", nil).want(t, http.StatusBadRequest).Body, "can’t remove yourself")

	require.Contains(t, p.get(t, "/app/settings/members/"+jan+"/remove").want(t, http.StatusOK).Body, "jan@example.com")
	his.get(t, "/app/settings/members").want(t, http.StatusOK)
	s.Clock.Advance(time.Second)
	p.post(t, "/app/settings/members/"+jan+"/remove", nil).want(t, http.StatusSeeOther)
	require.Equal(t, http.StatusSeeOther, his.get(t, "/app/settings/members").Status, "his session is over")
	his.post(t, "/app/sign-in", url.Values{"email": {"jan@example.com"}, "password": {password}}).want(t, http.StatusSeeOther)
	require.NotContains(t, his.get(t, "/app/settings/members").want(t, http.StatusOK).Body, email, "he sees his other workspace only")
	list = p.get(t, "/app/settings/members").want(t, http.StatusOK)
	require.Contains(t, list.Body, "Jan &lt;b&gt; was removed.")
	require.NotContains(t, list.Body, "jan@example.com")
	require.Equal(t, []string{"member.removed"}, actions(t, s, ours, "member."))
	require.Empty(t, actions(t, s, theirs, "member."))
}

func TestADeletedUserIsSignedOut(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	me := member(t, s, s.Workspace(t, "acme"))
	p := signedIn(t, s)
	p.get(t, "/app/analytics").want(t, http.StatusOK)
	require.NoError(t, users(s).Delete(t.Context(), s.DB, me.ID))
	p.get(t, "/app/analytics").want(t, http.StatusSeeOther)
}
