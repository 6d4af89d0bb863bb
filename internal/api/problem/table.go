package problem

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/agent"
	"github.com/avelto/convo/internal/domain/agent/evaluator"
	"github.com/avelto/convo/internal/domain/agent/modelprovider"
	"github.com/avelto/convo/internal/domain/analytics"
	"github.com/avelto/convo/internal/domain/channel"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/conversation"
	"github.com/avelto/convo/internal/domain/event"
	"github.com/avelto/convo/internal/domain/idempotency"
	"github.com/avelto/convo/internal/domain/integration"
	"github.com/avelto/convo/internal/domain/knowledge"
	"github.com/avelto/convo/internal/domain/lead"
	"github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/internal/platform/share"
)

// jobsRetryAfter is when to retry if a workspace has too many unfinished jobs.
const jobsRetryAfter = 30 * time.Second

// widgetRetryAfter is when to retry if the widget has too many streams or files.
const widgetRetryAfter = 30 * time.Second

// providerRetryAfter is when to retry at the earliest if the provider of a channel is out of reach.
const providerRetryAfter = 5 * time.Second

// table maps the errors of domain and platform packages to what the caller reads.
// The first row that matches wins; an error that no row matches is internal_error.
// Status and title of each code are in the published document.
var table = []mapping{
	is(postgres.ErrNotFound, api.ErrorCodeNotFound, NotFound().Detail),
	is(page.ErrInvalidCursor, api.ErrorCodeInvalidCursor,
		"The cursor does not belong to this list with these filters. Start again without a cursor."),
	is(token.ErrNotLive, api.ErrorCodeUnauthenticated, "Send a valid API token: Authorization: Bearer convo_…"),
	as(func(e *ratelimit.ExceededError) *Error {
		exceeded := New(api.ErrorCodeRateLimited, "There were too many requests with unknown credentials from this address.")
		exceeded.RetryAfter = max(e.ResetAfter, time.Second)
		return exceeded
	}),
	as(func(e *token.MissingScopeError) *Error { return MissingScope(e.Scope) }),

	is(idempotency.ErrReused, api.ErrorCodeIdempotencyKeyReused, "This Idempotency-Key was used with a different request."),
	as(func(e *idempotency.InUseError) *Error {
		inUse := New(api.ErrorCodeIdempotencyKeyInUse, "A request with this Idempotency-Key is still in progress.")
		inUse.RetryAfter = e.RetryAfter
		return inUse
	}),
	is(idempotency.ErrLeaseLost, api.ErrorCodeIdempotencyKeyInUse,
		"The request took too long, and another request with its Idempotency-Key has started.").retryAfter(time.Second),

	is(widget.ErrSession, api.ErrorCodeUnauthenticated, "Send the token of a session: POST /widget/sessions returns one."),
	is(widget.ErrOrigin, api.ErrorCodeOriginNotAllowed, "The channel does not allow the origin of this page."),
	is(widget.ErrIdentity, api.ErrorCodeInvalidIdentity, "The identity is expired, or not signed as the channel demands."),
	is(widget.ErrAttachment, api.ErrorCodeUnknownAttachment, "The visitor has not uploaded this file, or has sent it already."),
	is(widget.ErrTooManyStreams, api.ErrorCodeRateLimited, "There are too many streams.").retryAfter(widgetRetryAfter),
	is(widget.ErrTooManyUploads, api.ErrorCodeRateLimited, "There are too many files that were not sent.").retryAfter(widgetRetryAfter),
	as(func(e *widget.TooManyError) *Error {
		exceeded := New(api.ErrorCodeRateLimited, "This address can add %d %s in %d minutes.", e.Requests, e.What, int(e.Window.Minutes()))
		exceeded.RetryAfter = max(e.ResetAfter, time.Second)
		return exceeded
	}),

	as(func(e *lead.FieldCountError) *Error {
		return New(api.ErrorCodeInvalidFields, "A lead has 1 to %d fields; this change would leave %d.", lead.MaxFields, e.Count)
	}),

	is(conversation.ErrClosed, api.ErrorCodeConversationClosed, "The conversation is closed. Reopen it first."),
	is(conversation.ErrNotHandedOff, api.ErrorCodeConversationNotHandedOff, "The conversation has not been handed off to an operator."),
	is(conversation.ErrTagExists, api.ErrorCodeTagExists, "The workspace already has a tag with this name."),
	as(replyRefused),
	is(conversation.ErrUnknownUser, api.ErrorCodeUnknownUser, "No member of this workspace has this email address."),
	is(conversation.ErrOperatorExists, api.ErrorCodeOperatorExists, "Another operator is linked to this user."),
	is(conversation.ErrRecipient, api.ErrorCodeContactUnreachable, "The channel has no address of the contact."),
	as(func(e *conversation.UnknownChannelError) *Error {
		return New(api.ErrorCodeUnknownChannel, "This workspace has no channel %s.", e.ID)
	}),
	as(func(e *conversation.UnknownContactError) *Error {
		return New(api.ErrorCodeUnknownContact, "This workspace has no contact %s.", e.ID)
	}),
	as(func(e *conversation.CannotInitiateError) *Error {
		return New(api.ErrorCodeChannelCannotInitiate, "Channels of type %s cannot start conversations: the contact has to write first.", e.Type)
	}),
	as(func(e *conversation.InvalidAddressError) *Error {
		return Invalid(api.FieldError{Location: "body.to", Message: "must be an address for the channel type " + string(e.Type)})
	}),
	as(func(e *conversation.TooLongError) *Error {
		return New(api.ErrorCodeContentTooLong, "The channel allows up to %d characters.", e.MaxLength)
	}),
	as(func(e *conversation.UnknownMessageError) *Error {
		return New(api.ErrorCodeUnknownMessage, "This conversation has no message %s.", e.ID)
	}),
	as(func(e *conversation.UnknownOperatorError) *Error {
		return New(api.ErrorCodeUnknownOperator, "This workspace has no operator %s.", e.ID)
	}),
	as(func(e *conversation.UnknownTagsError) *Error {
		return New(api.ErrorCodeUnknownTag, "This workspace has no tag %s.", e.IDs[0])
	}),

	is(channel.ErrTooMany, api.ErrorCodeTooManyChannels, fmt.Sprintf("The workspace has %d channels. Delete one first.", channel.MaxChannels)),
	as(func(e *channel.UnavailableError) *Error {
		return New(api.ErrorCodeChannelTypeUnavailable, "Channels of type %s are not available on this server.", e.Type)
	}),
	as(func(e *channel.UnknownAgentError) *Error {
		return New(api.ErrorCodeUnknownAgent, "This workspace has no agent %s.", e.ID)
	}),
	as(invalidChannel),
	is(channel.ErrNotAuthorizable, api.ErrorCodeAuthorizationUnavailable,
		"The channel can't be authorized in a browser: channels of type SLACK with clientId and clientSecret can."),
	as(func(e *channel.UnknownTemplateError) *Error {
		return New(api.ErrorCodeUnknownTemplate, "The provider has approved no template %s in %s.", e.Name, e.Language)
	}),
	as(func(*provider.NoTemplatesError) *Error {
		return New(api.ErrorCodeTemplatesUnavailable, "The channel has no templates: channels of type WHATSAPP with a businessAccountId have some.")
	}),
	as(templateValues),
	as(providerFailed),

	is(modelprovider.ErrKeyRequired, api.ErrorCodeValidationFailed, "").field("body.apiKey", "is required for another base URL, and for the provider's own"),
	as(func(e *modelprovider.InvalidURLError) *Error {
		return Invalid(api.FieldError{Location: "body.baseUrl", Message: e.Reason})
	}),
	as(func(e *agent.UnknownVersionError) *Error {
		return New(api.ErrorCodeUnknownVersion, "The agent has no version %d.", e.Number)
	}),
	is(evaluator.ErrTooMany, api.ErrorCodeTooManyJobs, fmt.Sprintf(
		"The workspace has %d evaluations that have not ended. Retry when some have.", evaluator.MaxOpen)).retryAfter(jobsRetryAfter),
	is(agent.ErrNoQuestion, api.ErrorCodeValidationFailed, "").field("body.messages", "must end with a message of the role USER"),

	is(label.ErrEmpty, api.ErrorCodeValidationFailed, "").field("body.name", "must have a visible character"),
	is(label.ErrInvisible, api.ErrorCodeValidationFailed, "").field("body.name", "must not have invisible characters"),

	as(unknownEvents),
	is(integration.ErrTooManyWebhooks, api.ErrorCodeTooManyWebhooks,
		fmt.Sprintf("The workspace has %d webhooks. Delete one first.", integration.MaxWebhooks)),
	is(integration.ErrTooManyTests, api.ErrorCodeRateLimited, "Too many test events of this workspace are in flight.").retryAfter(time.Second),
	is(integration.ErrNotWebhook, api.ErrorCodeNotAWebhook, "Only integrations of type WEBHOOK have url and events."),
	as(func(e *integration.InvalidURLError) *Error {
		return invalidURL(api.ErrorCodeInvalidWebhookURL, e.Reason)
	}),

	is(knowledge.ErrJobFinished, api.ErrorCodeJobFinished, "The job has already ended."),
	is(knowledge.ErrEmptyFile, api.ErrorCodeMalformedRequest, "The file is empty."),
	as(func(e *knowledge.WrongTypeError) *Error {
		return New(api.ErrorCodeUnsupportedMediaType, "The file's content is not %s.", e.Kind)
	}),
	as(func(e *knowledge.TooManyJobsError) *Error {
		many := New(api.ErrorCodeTooManyJobs, "The workspace has %d unfinished jobs of type %s. Retry when some have ended.", e.Max, e.Type)
		many.RetryAfter = jobsRetryAfter
		return many
	}),
	as(func(e *knowledge.InvalidURLError) *Error { return invalidURL(api.ErrorCodeInvalidCrawlURL, e.Reason) }),

	is(share.ErrBusy, api.ErrorCodeRateLimited, "Too many analytics requests, exports, previews or lists of templates of this workspace are in progress.").retryAfter(time.Second),
	as(func(e *analytics.SpanError) *Error {
		return Invalid(api.FieldError{Location: "query.from", Message: e.Reason})
	}),
}

// replyRefused says which rule of the channel allows no reply.
func replyRefused(e *conversation.ReplyRefusedError) *Error {
	details := map[api.ReplyPolicyReason]string{
		api.ReplyPolicyReasonWINDOWEXPIRED:   "The contact has not written for too long: the channel allows no reply until they write again.",
		api.ReplyPolicyReasonCONTACTBLOCKED:  "The contact has blocked the channel or opted out.",
		api.ReplyPolicyReasonNORECIPIENT:     "The channel has no address of the contact.",
		api.ReplyPolicyReasonCHANNELDISABLED: "The channel is disabled.",
		api.ReplyPolicyReasonCHANNELDELETED:  "The channel was deleted.",
	}
	refused := &Error{Code: api.ErrorCodeReplyWindowClosed, Detail: details[e.Policy.Reason]}
	if e.Policy.TemplateRequired {
		refused.Detail += " Send a template instead."
	}
	return refused
}

// templateValues says what values a template has.
func templateValues(e *provider.TemplateValuesError) *Error {
	if e.Unsendable {
		return New(api.ErrorCodeInvalidTemplateParameters, "The template needs values outside of its body, which can't be sent.")
	}
	return New(api.ErrorCodeInvalidTemplateParameters, "The number of parameters of the template is %d.", e.Count)
}

// providerFailed says why a provider did not do what was asked of it.
func providerFailed(e *channel.ProviderError) *Error {
	switch e.Kind { //nolint:exhaustive // the others are about messages
	case provider.Retryable:
		unavailable := New(api.ErrorCodeProviderUnavailable, "The provider of the channel does not respond, or accepts no requests now. Retry later.")
		unavailable.RetryAfter = max(e.RetryAfter, providerRetryAfter)
		return unavailable
	case provider.Credentials:
		return New(api.ErrorCodeCredentialsRejected, "%s", e.Detail)
	}
	return New(api.ErrorCodeRejectedByProvider, "%s", e.Detail)
}

// invalidChannel names the settings by their place in the request.
func invalidChannel(e *channel.InvalidError) *Error {
	fields := make([]api.FieldError, len(e.Invalid))
	for i, one := range e.Invalid {
		fields[i] = api.FieldError{Location: "body" + strings.ReplaceAll(one.Pointer, "/", "."), Message: one.Message}
	}
	return Invalid(fields...)
}

func unknownEvents(e *event.UnknownTypesError) *Error {
	mapped := New(api.ErrorCodeUnknownEvent, "`events` names an unknown event.")
	for _, index := range e.Indexes {
		mapped.Fields = append(mapped.Fields, api.FieldError{
			Location: fmt.Sprintf("body.events.%d", index), Message: "must be one of " + strings.Join(e.Known, ", "),
		})
	}
	return mapped
}

func invalidURL(code Code, reason string) *Error {
	e := New(code, "url %s.", reason)
	e.Fields = []api.FieldError{{Location: "body.url", Message: reason}}
	return e
}

// mapping is one row of the table: it returns nil for errors that it does not match.
type mapping func(err error) *Error

// is maps a sentinel error.
func is(sentinel error, code Code, detail string) mapping {
	return func(err error) *Error {
		if !errors.Is(err, sentinel) {
			return nil
		}
		return &Error{Code: code, Detail: detail}
	}
}

// as maps an error type whose values carry data.
func as[E error](toAPI func(E) *Error) mapping {
	return func(err error) *Error {
		found, ok := errors.AsType[E](err)
		if !ok {
			return nil
		}
		return toAPI(found)
	}
}

// field makes it a validation error of one property.
func (m mapping) field(location, message string) mapping {
	return func(err error) *Error {
		if m(err) == nil {
			return nil
		}
		return Invalid(api.FieldError{Location: location, Message: message})
	}
}

func (m mapping) retryAfter(wait time.Duration) mapping {
	return func(err error) *Error {
		e := m(err)
		if e != nil {
			e.RetryAfter = wait
		}
		return e
	}
}
