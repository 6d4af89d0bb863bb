package problem_test

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/api/problem"
	"github.com/avelto/convo/internal/api/spec"
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
	apitoken "github.com/avelto/convo/internal/domain/token"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/platform/label"
	"github.com/avelto/convo/internal/platform/page"
	"github.com/avelto/convo/internal/platform/postgres"
	"github.com/avelto/convo/internal/platform/ratelimit"
	"github.com/avelto/convo/internal/platform/share"
)

// domainErrors are the errors that the table maps, by the name they are declared under.
var domainErrors = map[string]struct {
	err  error
	code api.ErrorCode
}{
	"postgres.ErrNotFound":              {postgres.ErrNotFound, api.ErrorCodeNotFound},
	"page.ErrInvalidCursor":             {page.ErrInvalidCursor, api.ErrorCodeInvalidCursor},
	"label.ErrEmpty":                    {label.ErrEmpty, api.ErrorCodeValidationFailed},
	"label.ErrInvisible":                {label.ErrInvisible, api.ErrorCodeValidationFailed},
	"token.ErrNotLive":                  {apitoken.ErrNotLive, api.ErrorCodeUnauthenticated},
	"token.MissingScopeError":           {&apitoken.MissingScopeError{Scope: api.ScopeLeadsRead}, api.ErrorCodeMissingScope},
	"idempotency.InUseError":            {&idempotency.InUseError{RetryAfter: time.Minute}, api.ErrorCodeIdempotencyKeyInUse},
	"idempotency.ErrLeaseLost":          {idempotency.ErrLeaseLost, api.ErrorCodeIdempotencyKeyInUse},
	"idempotency.ErrReused":             {idempotency.ErrReused, api.ErrorCodeIdempotencyKeyReused},
	"lead.FieldCountError":              {&lead.FieldCountError{Count: 51}, api.ErrorCodeInvalidFields},
	"conversation.ErrClosed":            {conversation.ErrClosed, api.ErrorCodeConversationClosed},
	"conversation.ErrNotHandedOff":      {conversation.ErrNotHandedOff, api.ErrorCodeConversationNotHandedOff},
	"conversation.ErrTagExists":         {conversation.ErrTagExists, api.ErrorCodeTagExists},
	"conversation.UnknownOperatorError": {&conversation.UnknownOperatorError{ID: uuid.New()}, api.ErrorCodeUnknownOperator},
	"conversation.UnknownTagsError":     {&conversation.UnknownTagsError{IDs: []uuid.UUID{uuid.New()}}, api.ErrorCodeUnknownTag},
	"conversation.ReplyRefusedError":    {&conversation.ReplyRefusedError{Policy: conversation.Policy{Reason: api.ReplyPolicyReasonWINDOWEXPIRED}}, api.ErrorCodeReplyWindowClosed},
	"conversation.TooLongError":         {&conversation.TooLongError{MaxLength: 1600}, api.ErrorCodeContentTooLong},
	"conversation.UnknownMessageError":  {&conversation.UnknownMessageError{ID: uuid.New()}, api.ErrorCodeUnknownMessage},
	"channel.ErrTooMany":                {channel.ErrTooMany, api.ErrorCodeTooManyChannels},
	"channel.InvalidError":              {&channel.InvalidError{Invalid: []provider.Invalid{{Pointer: "/config/title", Message: "is required"}}}, api.ErrorCodeValidationFailed},
	"channel.UnavailableError":          {&channel.UnavailableError{Type: api.ChannelTypeVOICE}, api.ErrorCodeChannelTypeUnavailable},
	"channel.ErrNotAuthorizable":        {channel.ErrNotAuthorizable, api.ErrorCodeAuthorizationUnavailable},
	"channel.UnknownTemplateError":      {&channel.UnknownTemplateError{Name: "order_update", Language: "en"}, api.ErrorCodeUnknownTemplate},
	"channel.ProviderError":             {&channel.ProviderError{Kind: provider.Credentials, Detail: "Invalid token."}, api.ErrorCodeCredentialsRejected},
	"provider.NoTemplatesError":         {&provider.NoTemplatesError{Type: api.ChannelTypeVOICE}, api.ErrorCodeTemplatesUnavailable},
	"provider.TemplateValuesError":      {&provider.TemplateValuesError{Count: 2}, api.ErrorCodeInvalidTemplateParameters},
	"channel.UnknownAgentError":         {&channel.UnknownAgentError{ID: uuid.New()}, api.ErrorCodeUnknownAgent},
	"agent.UnknownVersionError":         {&agent.UnknownVersionError{Number: 7}, api.ErrorCodeUnknownVersion},
	"evaluator.ErrTooMany":              {evaluator.ErrTooMany, api.ErrorCodeTooManyJobs},
	"modelprovider.ErrKeyRequired":      {modelprovider.ErrKeyRequired, api.ErrorCodeValidationFailed},
	"modelprovider.InvalidURLError":     {&modelprovider.InvalidURLError{Reason: "must be https"}, api.ErrorCodeValidationFailed},
	"conversation.ErrUnknownUser":       {conversation.ErrUnknownUser, api.ErrorCodeUnknownUser},
	"conversation.ErrOperatorExists":    {conversation.ErrOperatorExists, api.ErrorCodeOperatorExists},
	"conversation.ErrRecipient":         {conversation.ErrRecipient, api.ErrorCodeContactUnreachable},
	"conversation.UnknownChannelError":  {&conversation.UnknownChannelError{ID: uuid.New()}, api.ErrorCodeUnknownChannel},
	"conversation.UnknownContactError":  {&conversation.UnknownContactError{ID: uuid.New()}, api.ErrorCodeUnknownContact},
	"conversation.CannotInitiateError":  {&conversation.CannotInitiateError{Type: api.ChannelTypeTELEGRAM}, api.ErrorCodeChannelCannotInitiate},
	"conversation.InvalidAddressError":  {&conversation.InvalidAddressError{Type: api.ChannelTypeEMAIL}, api.ErrorCodeValidationFailed},
	"event.UnknownTypesError":           {&event.UnknownTypesError{Indexes: []int{1}, Known: []string{"a", "b"}}, api.ErrorCodeUnknownEvent},
	"integration.ErrTooManyWebhooks":    {integration.ErrTooManyWebhooks, api.ErrorCodeTooManyWebhooks},
	"integration.ErrTooManyTests":       {integration.ErrTooManyTests, api.ErrorCodeRateLimited},
	"integration.ErrNotWebhook":         {integration.ErrNotWebhook, api.ErrorCodeNotAWebhook},
	"integration.InvalidURLError":       {&integration.InvalidURLError{Reason: "must use https"}, api.ErrorCodeInvalidWebhookURL},
	"knowledge.ErrJobFinished":          {knowledge.ErrJobFinished, api.ErrorCodeJobFinished},
	"knowledge.ErrEmptyFile":            {knowledge.ErrEmptyFile, api.ErrorCodeMalformedRequest},
	"knowledge.WrongTypeError":          {&knowledge.WrongTypeError{Kind: extract.PDF}, api.ErrorCodeUnsupportedMediaType},
	"knowledge.TooManyJobsError":        {&knowledge.TooManyJobsError{Type: api.KnowledgeTypeCRAWL, Max: 100}, api.ErrorCodeTooManyJobs},
	"knowledge.InvalidURLError":         {&knowledge.InvalidURLError{Reason: "must use https"}, api.ErrorCodeInvalidCrawlURL},
	"widget.ErrSession":                 {widget.ErrSession, api.ErrorCodeUnauthenticated},
	"widget.ErrOrigin":                  {widget.ErrOrigin, api.ErrorCodeOriginNotAllowed},
	"widget.ErrIdentity":                {widget.ErrIdentity, api.ErrorCodeInvalidIdentity},
	"widget.ErrAttachment":              {widget.ErrAttachment, api.ErrorCodeUnknownAttachment},
	"widget.ErrTooManyUploads":          {widget.ErrTooManyUploads, api.ErrorCodeRateLimited},
	"widget.ErrTooManyStreams":          {widget.ErrTooManyStreams, api.ErrorCodeRateLimited},
	"widget.TooManyError":               {&widget.TooManyError{What: "files", Limit: ratelimit.Limit{Requests: 6, Window: time.Hour}}, api.ErrorCodeRateLimited},
	"agent.ErrNoQuestion":               {agent.ErrNoQuestion, api.ErrorCodeValidationFailed},
	"share.ErrBusy":                     {share.ErrBusy, api.ErrorCodeRateLimited},
	"analytics.SpanError":               {&analytics.SpanError{Reason: "must be before query.to"}, api.ErrorCodeValidationFailed},
}

// unmapped are declared errors that never reach the API, each with the reason.
var unmapped = map[string]string{
	"apiclient.Error":             "providers of channels handle it",
	"apiclient.ErrTooLong":        "providers of channels handle it",
	"live.ErrFull":                "only hooks of channels accept connections of providers",
	"model.Error":                 "an agent then hands off, and a check says so",
	"model.ErrUnavailable":        "an agent then hands off, and a check says so",
	"inbound.ErrNoChannel":        "only hooks of channels receive what providers send",
	"provider.ErrMalformed":       "only hooks of channels receive what providers send",
	"provider.ErrUnauthenticated": "only hooks of channels receive what providers send",
	"provider.SendError":          "stored with the message",
	"secret.ErrWrongKey":          "never returned to a handler of the API",
	"ratelimit.ExceededError":     "the middleware responds with the limit of its address",
	"rawhttp.ErrTwoLengths":       "never returned to a handler of the API",
	"rawhttp.ErrLength":           "never returned to a handler of the API",
	"blob.ErrNotFound":            "domain/knowledge handles it",
	"crawl.PageError":             "stored with the job",
	"knowledge.BodyError":         "the handler maps the error it wraps, as for every body",
	"widget.BodyError":            "the handler maps the error it wraps, as for every body",
	"extract.Error":               "stored with the job",
	"channel.ErrAuthorization":    "only hooks of channels complete authorizations",
	"channel.ErrUnusable":         "stored with the channel",
	"seal.ErrBroken":              "a wrong key is a fault of the installation",
	"spending.RefusedError":       "a reason of a run or of a check",
	"token.ErrExpiry":             "only the console and the command line create tokens",
	"token.ErrUnknownScope":       "only the console and the command line create tokens",
	"user.ErrCredentials":         "only the console signs users in",
	"user.ErrTaken":               "only the command line creates users",
	"user.ErrUnknown":             "only the command line looks users up by address",
	"user.ErrSelf":                "only the console removes members",
	"user.ErrNotMember":           "only the console and the command line remove members",
	"user.ErrEmail":               "only the command line creates users",
	"user.ErrName":                "only the command line creates users",
	"user.ErrPassword":            "only the command line creates users",
	"workspace.ErrUnknown":        "only the command line looks workspaces up by slug",
	"workspace.ErrTaken":          "only the command line creates workspaces",
	"workspace.ErrSlug":           "only the command line creates workspaces",
	"workspace.ErrName":           "only the command line creates workspaces",
}

func TestEveryDomainErrorHasDocumentedCode(t *testing.T) {
	t.Parallel()
	document, err := spec.Published()
	require.NoError(t, err)
	for name, want := range domainErrors {
		for _, err := range []error{want.err, fmt.Errorf("doing something: %w", want.err)} {
			got := problem.Classify(err)
			require.Equal(t, want.code, got.Code, name)
			require.Contains(t, document.Errors, got.Code, name)
			require.NotEmpty(t, got.Detail, name)
			require.ErrorIs(t, got, want.err, "the log has the cause")
		}
	}
}

// TestEveryDeclaredErrorIsMapped reads the source of the domain and platform packages:
// an error declared there has a row in the table or a reason to have none.
func TestEveryDeclaredErrorIsMapped(t *testing.T) {
	t.Parallel()
	declared := append(declaredErrors(t, "../../domain"), declaredErrors(t, "../../platform")...)
	require.Greater(t, len(declared), len(domainErrors)-1)
	for _, name := range declared {
		if strings.HasPrefix(name, "simulator.") {
			continue // only simulators of providers return them, which are no part of the API
		}
		_, mapped := domainErrors[name]
		_, excused := unmapped[name]
		require.NotEqual(t, mapped, excused, "%s: add a row to the table, or a reason to have none", name)
	}
	for name := range domainErrors {
		require.Contains(t, declared, name)
	}
	for name := range unmapped {
		require.Contains(t, declared, name)
	}
}

// declaredErrors lists exported ErrX variables and XError types as package.Name.
func declaredErrors(t *testing.T, root string) (names []string) {
	t.Helper()
	require.NoError(t, filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		for name, object := range file.Scope.Objects {
			isValue := object.Kind == ast.Var && strings.HasPrefix(name, "Err")
			isType := object.Kind == ast.Typ && strings.HasSuffix(name, "Error") && ast.IsExported(name)
			if isValue || isType {
				names = append(names, file.Name.Name+"."+name)
			}
		}
		return nil
	}))
	return names
}

func TestUnexpectedErrorsAreInternal(t *testing.T) {
	t.Parallel()
	for _, err := range []error{errors.New("secret"), fmt.Errorf("count: %w", pgx.ErrNoRows)} {
		got := problem.Classify(err)
		require.Equal(t, api.ErrorCodeInternalError, got.Code)
		require.Equal(t, "Something went wrong on our side. Quote the request id when you report it.", got.Detail)
	}
}

func TestMappedErrorsKeepTheirData(t *testing.T) {
	t.Parallel()
	scope := problem.Classify(domainErrors["token.MissingScopeError"].err)
	require.Equal(t, api.ScopeLeadsRead, scope.MissingScope)
	events := problem.Classify(domainErrors["event.UnknownTypesError"].err)
	require.Equal(t, []api.FieldError{{Location: "body.events.1", Message: "must be one of a, b"}}, events.Fields)
	for _, name := range []string{"integration.InvalidURLError", "knowledge.InvalidURLError"} {
		require.Equal(t, []api.FieldError{{Location: "body.url", Message: "must use https"}}, problem.Classify(domainErrors[name].err).Fields)
	}
	span := problem.Classify(domainErrors["analytics.SpanError"].err)
	require.Equal(t, []api.FieldError{{Location: "query.from", Message: "must be before query.to"}}, span.Fields)
	require.Positive(t, problem.Classify(idempotency.ErrLeaseLost).RetryAfter)
	require.Equal(t, time.Minute, problem.Classify(domainErrors["idempotency.InUseError"].err).RetryAfter)
}
