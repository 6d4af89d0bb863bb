package console

import (
	"context"
	"errors"
	"net/http"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/domain/user"
	"github.com/avelto/convo/internal/platform/postgres"
)

const (
	membersPath  = "/app/settings/members"
	membersShown = 500
)

func (c *console) listMembers(w http.ResponseWriter, r *http.Request, v visitor) error {
	rows, err := c.Users.Members(r.Context(), v.Workspace.ID, membersShown)
	if err != nil {
		return err
	}
	return c.render(w, r, http.StatusOK, "members", view{Title: "Members", Visitor: v, Page: struct {
		Rows  []db.MembershipListUsersRow
		Shown int // at most
	}{rows, membersShown}})
}

// otherMember returns the user of the path, if they are another member of the workspace.
func (c *console) otherMember(r *http.Request, v visitor) (db.User, error) {
	userID, err := pathID(r, "id")
	if err != nil {
		return db.User{}, err
	}
	if userID == v.User.ID {
		return db.User{}, ownself(user.ErrSelf)
	}
	workspaces, err := c.Users.Workspaces(r.Context(), userID)
	if err != nil {
		return db.User{}, err
	}
	for _, one := range workspaces {
		if one.ID == v.Workspace.ID {
			return c.Users.Get(r.Context(), userID)
		}
	}
	return db.User{}, problem.NotFound()
}

func ownself(cause error) error {
	return problem.Malformed("You can’t remove yourself. Ask another member, or use convo user remove.").WithCause(cause)
}

func (c *console) askRemoveMember(w http.ResponseWriter, r *http.Request, v visitor) error {
	row, err := c.otherMember(r, v)
	if err != nil {
		return err
	}
	return c.render(w, r, http.StatusOK, "member-remove", view{Title: "Remove member", Visitor: v, Page: row})
}

func (c *console) removeMember(w http.ResponseWriter, r *http.Request, v visitor) error {
	row, err := c.otherMember(r, v)
	if err != nil {
		return err
	}
	err = c.recorded(r, v, "member.removed", row.Email, func(ctx context.Context, on postgres.Conn) (bool, error) {
		return true, c.Users.RemoveBy(ctx, on, v.Workspace.ID, row.ID, v.User.ID)
	})
	if errors.Is(err, user.ErrNotMember) {
		return problem.NotFound()
	} else if err != nil {
		return err
	}
	return c.back(w, r, membersPath, row.Name+" was removed.")
}
