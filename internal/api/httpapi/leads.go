package httpapi

import (
	"context"

	"github.com/google/uuid"
	"github.com/oapi-codegen/nullable"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// leads serves the tag Leads.
type leads struct {
	service *lead.Service
	log     *audit.Log
	links   linker
}

// ListLeads implements api.StrictServerInterface.
func (s *leads) ListLeads(ctx context.Context, r api.ListLeadsRequestObject) (api.ListLeadsResponseObject, error) {
	filter := lead.Filter{Status: r.Params.Status, Sort: api.LeadSortNewest}
	if r.Params.Sort != nil {
		filter.Sort = *r.Params.Sort
	}
	rows, err := s.service.List(ctx, middleware.WorkspaceID(ctx), filter, page.Request{Limit: r.Params.Limit, Cursor: r.Params.Cursor})
	if err != nil {
		return nil, err
	}
	return leadList{rows: rows.Rows, link: s.links.next(ctx, rows.Next), next: rows.Next}, nil
}

// CreateLead implements api.StrictServerInterface.
func (s *leads) CreateLead(ctx context.Context, r api.CreateLeadRequestObject) (api.CreateLeadResponseObject, error) {
	return middleware.OnceByStatement(ctx, s.log, api.CreateLeadResponseObject.VisitCreateLeadResponse, func(ctx context.Context, on postgres.Conn, entry audit.Entry) (api.CreateLeadResponseObject, error) {
		row, err := s.service.Create(ctx, on, middleware.WorkspaceID(ctx), lead.NewLead{
			Fields: r.Body.Fields, Source: r.Body.Source, Entry: func(leadID uuid.UUID) *audit.Entry {
				entry.Target = *location("/leads", leadID)
				return &entry
			},
		})
		if err != nil {
			return nil, err
		}
		return createdLead{row}, nil
	})
}

// GetLead implements api.StrictServerInterface.
func (s *leads) GetLead(ctx context.Context, r api.GetLeadRequestObject) (api.GetLeadResponseObject, error) {
	row, err := s.service.Get(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return oneLead{row}, nil
}

// UpdateLead implements api.StrictServerInterface.
func (s *leads) UpdateLead(ctx context.Context, r api.UpdateLeadRequestObject) (api.UpdateLeadResponseObject, error) {
	return middleware.Once(ctx, s.log, api.UpdateLeadResponseObject.VisitUpdateLeadResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateLeadResponseObject, error) {
		row, err := s.service.Update(ctx, on, middleware.WorkspaceID(ctx), r.ID, fromAPILeadUpdate(*r.Body))
		if err != nil {
			return nil, err
		}
		return oneLead{row}, nil
	})
}

// UpdateLeadStatus implements api.StrictServerInterface.
func (s *leads) UpdateLeadStatus(ctx context.Context, r api.UpdateLeadStatusRequestObject) (api.UpdateLeadStatusResponseObject, error) {
	return middleware.Once(ctx, s.log, api.UpdateLeadStatusResponseObject.VisitUpdateLeadStatusResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateLeadStatusResponseObject, error) {
		row, err := s.service.SetStatus(ctx, on, middleware.WorkspaceID(ctx), r.ID, r.Body.Status)
		if err != nil {
			return nil, err
		}
		return oneLead{row}, nil
	})
}

// DeleteLead implements api.StrictServerInterface.
func (s *leads) DeleteLead(ctx context.Context, r api.DeleteLeadRequestObject) (api.DeleteLeadResponseObject, error) {
	return middleware.Once(ctx, s.log, api.DeleteLeadResponseObject.VisitDeleteLeadResponse, func(ctx context.Context, on postgres.Conn) (api.DeleteLeadResponseObject, error) {
		if err := s.service.Delete(ctx, on, middleware.WorkspaceID(ctx), r.ID); err != nil {
			return nil, err
		}
		return api.DeleteLead204Response{}, nil
	})
}

func fromAPILeadUpdate(in api.LeadUpdate) lead.Change {
	var change lead.Change
	if in.Fields != nil {
		change.Fields = *in.Fields
	}
	if in.Score.IsSpecified() {
		change.Score = func() *int16 { return fromAPIScore(in.Score) }
	}
	if in.CrmExternalID.IsSpecified() {
		change.CRMExternalID = func() *string { return orNil(in.CrmExternalID) }
	}
	return change
}

func fromAPIScore(score nullable.Nullable[int32]) *int16 {
	wide := orNil(score)
	if wide == nil {
		return nil
	}
	narrow := int16(*wide)
	return &narrow
}

// orNil returns a property's value, or nil if it is null or missing.
func orNil[T any](value nullable.Nullable[T]) *T {
	given, err := value.Get()
	if err != nil {
		return nil
	}
	return &given
}
