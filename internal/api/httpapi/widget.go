package httpapi

import (
	"cmp"
	"context"
	"errors"
	"mime"
	"strings"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/httpapi/middleware"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/validation"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/openapi/timestamp"
)

const maxAttachmentName = 200 // characters

// widgetTag serves the tag Widget. The middleware has authenticated the visitor.
type widgetTag struct {
	service *widget.Service
	streams *widget.Streams
	links   linker
}

// CreateWidgetSession implements api.StrictServerInterface.
func (s *widgetTag) CreateWidgetSession(ctx context.Context, r api.CreateWidgetSessionRequestObject) (api.CreateWidgetSessionResponseObject, error) {
	channel, err := s.service.Channel(ctx, r.Body.ChannelID)
	if err != nil {
		return nil, err
	}
	if err := middleware.AllowOrigin(ctx, s.service, channel); err != nil {
		return nil, err
	}
	begun, err := s.service.Begin(ctx, channel, text(r.Body.VisitorID), text(r.Body.Identity))
	if err != nil {
		return nil, err
	}
	return api.CreateWidgetSession201JSONResponse{
		Token: begun.Token, ExpiresAt: timestamp.New(begun.ExpiresAt), VisitorID: begun.VisitorID,
		Channel: widgetChannel(channel), Conversation: begun.Conversation,
	}, nil
}

func widgetChannel(c widget.Channel) api.WidgetChannel {
	shown := api.WidgetChannel{
		ID: c.Row.ID, Title: cmp.Or(text(c.Config.Title), c.Row.Name), Greeting: c.Config.Greeting, Color: c.Config.Color, Locale: c.Config.Locale,
		AiNotice: c.Config.AiNotice,
	}
	if text(c.Config.ConsentText) != "" {
		shown.ConsentText = c.Config.ConsentText
	}
	return shown
}

// text returns a text, or an empty one if there is none.
func text(optional *string) string {
	if optional == nil {
		return ""
	}
	return *optional
}

// SendWidgetMessage implements api.StrictServerInterface.
func (s *widgetTag) SendWidgetMessage(ctx context.Context, r api.SendWidgetMessageRequestObject) (api.SendWidgetMessageResponseObject, error) {
	call := middleware.CallFrom(ctx)
	in := widget.NewMessage{ClientMessageID: r.Body.ClientMessageID, Content: r.Body.Content, Address: ratelimit.Network(call.RealIP())}
	if r.Body.AttachmentIds != nil {
		in.AttachmentIDs = *r.Body.AttachmentIds
	}
	if strings.TrimSpace(in.Content) == "" && len(in.AttachmentIDs) == 0 {
		return nil, problem.Invalid(api.FieldError{Location: "body.content", Message: "must not be empty without attachments"})
	}
	message, duplicate, err := s.service.Send(ctx, call.Channel, call.Session.Visitor, in)
	if err != nil {
		return nil, err
	}
	if duplicate {
		return api.SendWidgetMessage200JSONResponse(message), nil
	}
	return api.SendWidgetMessage201JSONResponse(message), nil
}

// ListWidgetMessages implements api.StrictServerInterface.
func (s *widgetTag) ListWidgetMessages(ctx context.Context, r api.ListWidgetMessagesRequestObject) (api.ListWidgetMessagesResponseObject, error) {
	listed, err := s.service.List(ctx, middleware.CallFrom(ctx).Session.Visitor, page.Request(r.Params))
	if err != nil {
		return nil, err
	}
	return api.ListWidgetMessages200JSONResponse{
		Body:    append([]api.WidgetMessage{}, listed.Rows...),
		Headers: api.ListWidgetMessages200ResponseHeaders{Link: s.links.next(ctx, listed.Next), XNextCursor: listed.Next},
	}, nil
}

// ReportWidgetTyping implements api.StrictServerInterface.
func (s *widgetTag) ReportWidgetTyping(ctx context.Context, r api.ReportWidgetTypingRequestObject) (api.ReportWidgetTypingResponseObject, error) {
	return api.ReportWidgetTyping204Response{}, s.service.Typing(ctx, middleware.CallFrom(ctx).Session.Visitor, r.Body.On)
}

// ReportWidgetRead implements api.StrictServerInterface.
func (s *widgetTag) ReportWidgetRead(ctx context.Context, r api.ReportWidgetReadRequestObject) (api.ReportWidgetReadResponseObject, error) {
	call := middleware.CallFrom(ctx)
	return api.ReportWidgetRead204Response{}, s.service.Read(ctx, call.Channel, call.Session.Visitor, r.Body.MessageID)
}

// UploadWidgetAttachment implements api.StrictServerInterface.
func (s *widgetTag) UploadWidgetAttachment(ctx context.Context, r api.UploadWidgetAttachmentRequestObject) (api.UploadWidgetAttachmentResponseObject, error) {
	call := middleware.CallFrom(ctx)
	media, _, err := mime.ParseMediaType(call.ContentType)
	if err != nil {
		return nil, problem.New(api.ErrorCodeUnsupportedMediaType, "Send the file's media type as Content-Type.").WithCause(err)
	}
	in := widget.Upload{ContentType: media, Size: call.ContentLength, Body: r.Body, Address: ratelimit.Network(call.RealIP())}
	if r.Params.XOriginalName != nil {
		name, err := originalName(*r.Params.XOriginalName, maxAttachmentName)
		if err != nil {
			return nil, err
		}
		in.Name = &name
	}
	stored, err := s.service.Upload(ctx, call.Session.Visitor, in)
	if broken, ok := errors.AsType[*widget.BodyError](err); ok {
		return nil, validation.ReadError(broken.Err)
	} else if err != nil {
		return nil, err
	}
	return api.UploadWidgetAttachment201JSONResponse{ID: stored.ID, Name: in.Name, ContentType: media, SizeBytes: stored.Size}, nil
}

// GetWidgetAttachment implements api.StrictServerInterface.
func (s *widgetTag) GetWidgetAttachment(ctx context.Context, r api.GetWidgetAttachmentRequestObject) (api.GetWidgetAttachmentResponseObject, error) {
	file, err := s.service.Open(ctx, middleware.CallFrom(ctx).Session.Visitor, r.ID)
	if err != nil {
		return nil, err
	}
	disposition, cache := disposition(file.Name), "private, no-store"
	return api.GetWidgetAttachment200ApplicationOctetStreamResponse{
		Body: file, ContentLength: file.Size, // the strict server closes the file
		Headers: api.GetWidgetAttachment200ResponseHeaders{ContentDisposition: &disposition, CacheControl: &cache},
	}, nil
}
