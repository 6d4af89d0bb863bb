//go:build linux

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"
	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/labstack/echo/v4"
	echomiddleware "github.com/labstack/echo/v4/middleware"

	"github.com/avelto/convo/gen/db"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/platform/clock"
	"github.com/avelto/convo/internal/platform/id"
	"github.com/avelto/convo/openapi"
)

// wiredCommand is the same stack as its guides assemble it: Echo, validation middleware
// with kin-openapi's own router on the 3.1 document, one query per request to check the
// token, and stored JSON decoded into maps and encoded by encoding/json.
type wiredCommand struct{}

type wired struct {
	pool   *pgxpool.Pool
	router routers.Router
	ids    *id.Generator
}

type wiredLead struct {
	ID             uuid.UUID      `json:"id"`
	Status         string         `json:"status"`
	Fields         map[string]any `json:"fields"`
	Score          *int16         `json:"score"`
	Source         *string        `json:"source"`
	ConversationID *uuid.UUID     `json:"conversationId"`
	CrmExternalID  *string        `json:"crmExternalId"`
	CreatedAt      time.Time      `json:"createdAt"`
	UpdatedAt      time.Time      `json:"updatedAt"`
}

// Run implements the command.
func (*wiredCommand) Run(ctx context.Context) error {
	document, err := openapi3.NewLoader().LoadFromData(openapi.JSON)
	if err != nil {
		return fmt.Errorf("document: %w", err)
	}
	document.Servers = openapi3.Servers{{URL: "/api/v1"}}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		return fmt.Errorf("router: %w", err)
	}
	pool, err := openPool(ctx)
	if err != nil {
		return err
	}
	s := &wired{pool: pool, router: router, ids: id.NewGenerator(clock.System{})}
	e := echo.New()
	// The middleware of Echo's guide, matching what convo does: IDs, request log, recovery.
	e.Use(echomiddleware.RequestID(), echomiddleware.RequestLogger(), echomiddleware.Recover())
	e.GET("/readyz", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	group := e.Group("/api/v1", s.validate)
	group.GET("/leads", s.list)
	group.GET("/leads/:id", s.get)
	group.POST("/leads", s.create)
	return serveReference(ctx, e)
}

func (s *wired) validate(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		route, path, err := s.router.FindRoute(c.Request())
		if err != nil {
			return echo.ErrNotFound
		}
		err = openapi3filter.ValidateRequest(c.Request().Context(), &openapi3filter.RequestValidationInput{
			Request: c.Request(), PathParams: path, Route: route,
			Options: &openapi3filter.Options{AuthenticationFunc: func(ctx context.Context, _ *openapi3filter.AuthenticationInput) error {
				hash, ok := token.Parse(c.Request().Header.Get("Authorization")[len("Bearer "):])
				if !ok {
					return errors.New("no token")
				}
				row, err := db.New().SystemTokenByHash(ctx, s.pool, db.SystemTokenByHashParams{TokenHash: hash[:]})
				c.Set("workspace", row.WorkspaceID)
				return err
			}},
		})
		if err != nil {
			return echo.NewHTTPError(http.StatusBadRequest, err.Error())
		}
		return next(c)
	}
}

func (s *wired) list(c echo.Context) error {
	var in struct {
		Limit int32 `query:"limit"`
	}
	if err := c.Bind(&in); err != nil {
		return err
	}
	rows, err := db.New().LeadListNewest(c.Request().Context(), s.pool, db.LeadListNewestParams{
		WorkspaceID: c.Get("workspace").(uuid.UUID), BeforeID: id.Max, RowLimit: in.Limit + 1,
	})
	if err != nil {
		return err
	}
	leads := make([]wiredLead, 0, len(rows))
	for _, row := range rows[:min(len(rows), int(in.Limit))] {
		lead, err := toWired(row)
		if err != nil {
			return err
		}
		leads = append(leads, lead)
	}
	return c.JSON(http.StatusOK, leads)
}

func (s *wired) get(c echo.Context) error {
	leadID, err := uuid.Parse(c.Param("id"))
	if err != nil {
		return echo.ErrBadRequest
	}
	row, err := db.New().LeadGet(c.Request().Context(), s.pool, db.LeadGetParams{WorkspaceID: c.Get("workspace").(uuid.UUID), ID: leadID})
	if err != nil {
		return echo.ErrNotFound
	}
	lead, err := toWired(row)
	if err != nil {
		return err
	}
	return c.JSON(http.StatusOK, lead)
}

func (s *wired) create(c echo.Context) error {
	var in struct {
		Fields map[string]any `json:"fields"`
		Source *string        `json:"source"`
	}
	if err := c.Bind(&in); err != nil {
		return err
	}
	raw, err := json.Marshal(in.Fields)
	if err != nil {
		return err
	}
	row, err := db.New().LeadCreate(c.Request().Context(), s.pool, newLead(s.ids, c.Get("workspace").(uuid.UUID), raw, in.Source))
	if err != nil {
		return err
	}
	lead, err := toWired(db.Lead(row))
	if err != nil {
		return err
	}
	return c.JSON(http.StatusCreated, lead)
}

func toWired(row db.Lead) (wiredLead, error) {
	lead := wiredLead{
		ID: row.ID, Status: string(row.Status), Score: row.Score, Source: row.Source, ConversationID: row.ConversationID,
		CrmExternalID: row.CrmExternalID, CreatedAt: row.CreatedAt, UpdatedAt: row.UpdatedAt,
	}
	return lead, json.Unmarshal(row.Fields, &lead.Fields)
}
