package agent

import (
	"context"
	"encoding/binary"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// VersionsKept is how many versions of an agent are kept, besides the published one.
const VersionsKept = 100

// UnknownVersionError means that an agent has no version of a number.
type UnknownVersionError struct{ Number int32 }

// Error implements error.
func (e *UnknownVersionError) Error() string { return fmt.Sprintf("agent: no version %d", e.Number) }

// At returns an agent with the settings of a version instead of its draft.
func At(row db.Agent, version db.AgentVersion) db.Agent {
	row.SystemPrompt, row.ModelProvider, row.ModelName = version.SystemPrompt, version.ModelProvider, version.ModelName
	row.Temperature, row.MaxTokens = version.Temperature, version.MaxTokens
	return row
}

// Version is a version of an agent. Published says whether new conversations begin with it.
type Version struct {
	db.AgentVersion

	Published bool
}

func versionOf(row db.Agent, version db.AgentVersion) Version {
	return Version{version, row.PublishedVersion != nil && *row.PublishedVersion == version.Number}
}

// Versions returns a page of the versions of an agent, newest first. It fails with
// postgres.ErrNotFound or page.ErrInvalidCursor.
func (s *Service) Versions(ctx context.Context, workspaceID, agentID uuid.UUID, request page.Request) (page.Page[Version], error) {
	of, err := s.Get(ctx, workspaceID, agentID)
	if err != nil {
		return page.Page[Version]{}, err
	}
	list := page.List{Workspace: workspaceID, Name: "agent versions", Filters: []string{agentID.String()}}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) (rows []Version, err error) {
		found, err := db.New().AgentVersionList(ctx, s.DB, db.AgentVersionListParams{
			WorkspaceID: workspaceID, AgentID: agentID, BeforeNumber: int64(binary.BigEndian.Uint32(before[:4])), RowLimit: limit,
		})
		for _, one := range found {
			rows = append(rows, versionOf(of, one))
		}
		return rows, err
	}, func(row Version) (position uuid.UUID) { // a cursor has an ID: here it begins with the number
		binary.BigEndian.PutUint32(position[:4], uint32(row.Number))
		return position
	})
}

// Version returns a version of an agent, or postgres.ErrNotFound.
func (s *Service) Version(ctx context.Context, workspaceID, agentID uuid.UUID, number int32) (Version, error) {
	of, err := s.Get(ctx, workspaceID, agentID)
	if err != nil {
		return Version{}, err
	}
	row, err := db.New().AgentVersionGet(ctx, s.DB, db.AgentVersionGetParams{WorkspaceID: workspaceID, AgentID: agentID, Number: number})
	return versionOf(of, row), postgres.Found("get version", err)
}

// Publish publishes the draft of an agent: as a new version, unless it is the published one
// already. It fails with postgres.ErrNotFound.
func (s *Service) Publish(ctx context.Context, on postgres.Conn, workspaceID, agentID uuid.UUID) (row db.Agent, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if row, err = db.New().AgentLock(ctx, tx, db.AgentLockParams{WorkspaceID: workspaceID, ID: agentID}); err != nil {
			return postgres.Found("lock agent", err)
		}
		row, err = s.changed(ctx, tx, row, new(api.AgentStatusPUBLISHED))
		return err
	})
	return row, err
}

// RollBack publishes an earlier version of an agent, and keeps its draft. With withdraw,
// conversations that began with the version that it replaces continue with this one too. It
// fails with postgres.ErrNotFound or *UnknownVersionError.
func (s *Service) RollBack(ctx context.Context, on postgres.Conn, workspaceID, agentID uuid.UUID, number int32, withdraw bool) (row db.Agent, err error) {
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if row, err = db.New().AgentLock(ctx, tx, db.AgentLockParams{WorkspaceID: workspaceID, ID: agentID}); err != nil {
			return postgres.Found("lock agent", err)
		}
		_, err := db.New().AgentVersionGet(ctx, tx, db.AgentVersionGetParams{WorkspaceID: workspaceID, AgentID: agentID, Number: number})
		if postgres.IsNotFound(err) {
			return &UnknownVersionError{number}
		} else if err != nil {
			return fmt.Errorf("get version: %w", err)
		}
		if replaced := row.PublishedVersion; withdraw && replaced != nil {
			if err := s.withdraw(ctx, tx, row, *replaced, true); err != nil {
				return err
			}
		}
		if err := s.withdraw(ctx, tx, row, number, false); err != nil {
			return err
		}
		if row, err = s.publish(ctx, tx, row, number); err != nil {
			return err
		}
		row, err = compare(ctx, tx, row)
		return err
	})
	return row, err
}

// withdraw withdraws a version, or restores it.
func (s *Service) withdraw(ctx context.Context, tx postgres.Tx, row db.Agent, number int32, on bool) error {
	params := db.AgentVersionWithdrawParams{WorkspaceID: row.WorkspaceID, AgentID: row.ID, Number: number}
	if on {
		params.WithdrawnAt = new(s.Clock.Now())
	}
	if err := db.New().AgentVersionWithdraw(ctx, tx, params); err != nil {
		return fmt.Errorf("withdraw version: %w", err)
	}
	return nil
}

// changed records whether the draft of a locked agent differs from what is published. If the
// new status is PUBLISHED, the draft becomes the published version.
func (s *Service) changed(ctx context.Context, tx postgres.Tx, row db.Agent, status *api.AgentStatus) (db.Agent, error) {
	row, err := compare(ctx, tx, row)
	if err != nil || status == nil || *status != api.AgentStatusPUBLISHED {
		return row, err
	}
	if !row.UnpublishedChanges {
		return s.publish(ctx, tx, row, *row.PublishedVersion)
	}
	q := db.New()
	version, err := q.AgentVersionCreate(ctx, tx, db.AgentVersionCreateParams{WorkspaceID: row.WorkspaceID, AgentID: row.ID, CreatedAt: s.Clock.Now()})
	if err != nil {
		return row, fmt.Errorf("create version: %w", err)
	}
	err = q.AgentVersionDeleteOld(ctx, tx, db.AgentVersionDeleteOldParams{
		WorkspaceID: row.WorkspaceID, AgentID: row.ID, UpTo: version.Number - VersionsKept, Published: version.Number,
	})
	if err != nil {
		return row, fmt.Errorf("delete old versions: %w", err)
	}
	if row, err = s.publish(ctx, tx, row, version.Number); err != nil {
		return row, err
	}
	return compare(ctx, tx, row)
}

// publish makes a version of a locked agent the published one.
func (s *Service) publish(ctx context.Context, tx postgres.Tx, row db.Agent, number int32) (db.Agent, error) {
	published, err := db.New().AgentPublish(ctx, tx, db.AgentPublishParams{WorkspaceID: row.WorkspaceID, ID: row.ID, Number: number, UpdatedAt: s.Clock.Now()})
	if err != nil {
		return row, fmt.Errorf("publish agent: %w", err)
	}
	return published, nil
}

func compare(ctx context.Context, tx postgres.Tx, row db.Agent) (db.Agent, error) {
	compared, err := db.New().AgentCompareDraft(ctx, tx, db.AgentCompareDraftParams{WorkspaceID: row.WorkspaceID, ID: row.ID})
	if err != nil {
		return row, fmt.Errorf("compare draft: %w", err)
	}
	return compared, nil
}
