// Package agent manages AI agents, which reply to contacts in conversations.
package agent

import (
	"context"
	"fmt"

	"github.com/google/uuid"

	api "github.com/avelto/convo/gen/api/model"
	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/agent/reply"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/share"
)

const (
	defaultTemperature = 1.0
	defaultMaxTokens   = 1024
)

// Service reads and changes agents.
type Service struct {
	DB    *postgres.DB
	IDs   *id.Generator
	Clock clock.Clock
	Pages *page.Codec
	// Engine replies in previews and checks, of which Previews bounds those of a workspace.
	Engine   *reply.Engine
	Previews *share.Shares
}

// List returns a page of agents, newest first, or page.ErrInvalidCursor.
func (s *Service) List(ctx context.Context, workspaceID uuid.UUID, request page.Request) (page.Page[db.Agent], error) {
	list := page.List{Workspace: workspaceID, Name: "agents"}
	return page.ByID(ctx, s.Pages, list, request, func(ctx context.Context, before uuid.UUID, limit int32) ([]db.Agent, error) {
		return db.New().AgentList(ctx, s.DB, db.AgentListParams{WorkspaceID: workspaceID, BeforeID: before, RowLimit: limit})
	}, func(a db.Agent) uuid.UUID { return a.ID })
}

// Get returns an agent, or postgres.ErrNotFound.
func (s *Service) Get(ctx context.Context, workspaceID, agentID uuid.UUID) (db.Agent, error) {
	row, err := db.New().AgentGet(ctx, s.DB, db.AgentGetParams{WorkspaceID: workspaceID, ID: agentID})
	return row, postgres.Found("get agent", err)
}

// Settings configure an agent. A nil value means the default when an agent is created, and
// no change when it is updated.
type Settings struct {
	Name, SystemPrompt, ModelProvider, ModelName *string
	Status                                       *api.AgentStatus
	Temperature                                  *float64
	MaxTokens                                    *int32
	// MonthlyBudget returns the new budget, nil for none.
	MonthlyBudget func() *int64
}

// cleaned returns the settings with a normalized name. It returns label.ErrEmpty and
// label.ErrInvisible.
func (in Settings) cleaned() (Settings, error) {
	if in.Name == nil {
		return in, nil
	}
	name, err := label.Clean(*in.Name)
	in.Name = &name
	return in, err
}

// Create stores an agent, and publishes it if Status says so. Name, ModelProvider and ModelName
// are required.
func (s *Service) Create(ctx context.Context, on postgres.Conn, workspaceID uuid.UUID, in Settings) (row db.Agent, err error) {
	if in, err = in.cleaned(); err != nil {
		return row, err
	}
	agentID, now := s.IDs.New()
	params := db.AgentCreateParams{
		WorkspaceID: workspaceID, ID: agentID, CreatedAt: now,
		Name: or(in.Name, ""), ModelProvider: or(in.ModelProvider, ""), ModelName: or(in.ModelName, ""),
		Status: or(in.Status, api.AgentStatusDRAFT), SystemPrompt: or(in.SystemPrompt, ""),
		Temperature: or(in.Temperature, defaultTemperature), MaxTokens: or(in.MaxTokens, defaultMaxTokens),
		MonthlyBudgetMicros: in.monthlyBudget(),
	}
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if row, err = db.New().AgentCreate(ctx, tx, params); err != nil {
			return fmt.Errorf("create agent: %w", err)
		}
		row, err = s.changed(ctx, tx, row, in.Status)
		return err
	})
	return row, err
}

// Update changes the settings that are not nil: those of the draft, which is published if
// Status says so. It fails with postgres.ErrNotFound.
func (s *Service) Update(ctx context.Context, on postgres.Conn, workspaceID, agentID uuid.UUID, in Settings) (row db.Agent, err error) {
	if in, err = in.cleaned(); err != nil {
		return row, err
	}
	params := db.AgentUpdateParams{
		WorkspaceID: workspaceID, ID: agentID, UpdatedAt: s.Clock.Now(),
		Name: in.Name, SystemPrompt: in.SystemPrompt, ModelProvider: in.ModelProvider, ModelName: in.ModelName,
		Status: (*string)(in.Status), Temperature: in.Temperature, MaxTokens: in.MaxTokens,
		SetMonthlyBudget: in.MonthlyBudget != nil, MonthlyBudgetMicros: in.monthlyBudget(),
	}
	err = postgres.WithTx(ctx, on, func(ctx context.Context, tx postgres.Tx) error {
		if row, err = db.New().AgentUpdate(ctx, tx, params); err != nil {
			return postgres.Found("update agent", err)
		}
		row, err = s.changed(ctx, tx, row, in.Status)
		return err
	})
	return row, err
}

func (in Settings) monthlyBudget() *int64 {
	if in.MonthlyBudget == nil {
		return nil
	}
	return in.MonthlyBudget()
}

func or[T any](given *T, otherwise T) T {
	if given == nil {
		return otherwise
	}
	return *given
}
