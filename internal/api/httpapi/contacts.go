package httpapi

import (
	"context"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/representation"
	"github.com/avelto/convo/internal/domain/audit"
	"github.com/avelto/convo/internal/domain/contact"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
)

// contacts serves the tag Contacts.
type contacts struct {
	service *contact.Service
	log     *audit.Log
	links   linker
}

// ListContacts implements api.StrictServerInterface.
func (s *contacts) ListContacts(ctx context.Context, r api.ListContactsRequestObject) (api.ListContactsResponseObject, error) {
	filter := contact.Filter{Email: r.Params.Email, Phone: r.Params.Phone, NamePrefix: r.Params.Q}
	rows, err := s.service.List(ctx, middleware.WorkspaceID(ctx), filter, page.Request{Limit: r.Params.Limit, Cursor: r.Params.Cursor})
	if err != nil {
		return nil, err
	}
	return api.ListContacts200JSONResponse{
		Body:    representation.List(rows.Rows, representation.ContactProfile),
		Headers: api.ListContacts200ResponseHeaders{Link: s.links.next(ctx, rows.Next), XNextCursor: rows.Next},
	}, nil
}

// GetContact implements api.StrictServerInterface.
func (s *contacts) GetContact(ctx context.Context, r api.GetContactRequestObject) (api.GetContactResponseObject, error) {
	found, err := s.service.Get(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return api.GetContact200JSONResponse(representation.ContactDetail(found)), nil
}

// UpdateContact implements api.StrictServerInterface.
func (s *contacts) UpdateContact(ctx context.Context, r api.UpdateContactRequestObject) (api.UpdateContactResponseObject, error) {
	return middleware.Once(ctx, s.log, api.UpdateContactResponseObject.VisitUpdateContactResponse, func(ctx context.Context, on postgres.Conn) (api.UpdateContactResponseObject, error) {
		found, err := s.service.Update(ctx, on, middleware.WorkspaceID(ctx), r.ID, fromAPIContactUpdate(*r.Body))
		if err != nil {
			return nil, err
		}
		return api.UpdateContact200JSONResponse(representation.ContactDetail(found)), nil
	})
}

// DeleteContact implements api.StrictServerInterface.
func (s *contacts) DeleteContact(ctx context.Context, r api.DeleteContactRequestObject) (api.DeleteContactResponseObject, error) {
	return middleware.Once(ctx, s.log, api.DeleteContactResponseObject.VisitDeleteContactResponse, func(ctx context.Context, on postgres.Conn) (api.DeleteContactResponseObject, error) {
		if err := s.service.Erase(ctx, on, middleware.WorkspaceID(ctx), r.ID); err != nil {
			return nil, err
		}
		return api.DeleteContact204Response{}, nil
	})
}

// ExportContact implements api.StrictServerInterface. Leads need the scope that reads them.
func (s *contacts) ExportContact(ctx context.Context, r api.ExportContactRequestObject) (api.ExportContactResponseObject, error) {
	export, err := s.service.Export(ctx, middleware.WorkspaceID(ctx), r.ID)
	if err != nil {
		return nil, err
	}
	return newExportStream(ctx, export, middleware.Has(ctx)(api.ScopeLeadsRead))
}

func fromAPIContactUpdate(in api.ContactUpdate) contact.Change {
	var change contact.Change
	if in.Name.IsSpecified() {
		change.Name = func() *string { return orNil(in.Name) }
	}
	if in.Email.IsSpecified() {
		change.Email = func() *string { return orNil(in.Email) }
	}
	if in.Phone.IsSpecified() {
		change.Phone = func() *string { return orNil(in.Phone) }
	}
	return change
}
