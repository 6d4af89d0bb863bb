package httpapi_test

import (
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/widget"
	"github.com/avelto/convo/internal/platform/blob"
	"github.com/avelto/convo/internal/testing/apitest"
)

const identitySecret = "0123456789abcdef0123456789abcdef"

// shop is a workspace with a website's channel.
type shop struct {
	*apitest.Server

	space   uuid.UUID
	token   string
	channel uuid.UUID
}

func openShop(t *testing.T, options apitest.Options, config map[string]any) *shop {
	t.Helper()
	s := &shop{Server: apitest.New(t, options)}
	s.space = s.Workspace(t, "acme")
	s.token = s.Token(t, s.space)
	s.channel = s.newChannel(t, s.token, config)
	return s
}

func (s *shop) newChannel(t *testing.T, token string, config map[string]any) uuid.UUID {
	t.Helper()
	if config == nil {
		config = map[string]any{}
	}
	agent := apitest.Decode[api.AgentDetail](t, s.Post(t, token, "/agents", `{"name":"Ada","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated)).ID
	return apitest.Decode[struct{ ID uuid.UUID }](t, s.Post(t, token, "/channels", map[string]any{
		"type": "WEBSITE", "name": "Shop", "agentId": agent, "config": config, "credentials": map[string]any{"identitySecret": identitySecret},
	}).Want(t, http.StatusCreated)).ID
}

// visitor is a visitor with a session.
type visitor struct {
	*shop
	api.WidgetSession
}

func (s *shop) begin(t *testing.T, body map[string]any) apitest.Response {
	t.Helper()
	if body["channelId"] == nil {
		body["channelId"] = s.channel
	}
	return s.Do(t, apitest.Request{Method: http.MethodPost, Path: "/widget/sessions", Body: body})
}

func (s *shop) visit(t *testing.T) visitor {
	t.Helper()
	return visitor{s, apitest.Decode[api.WidgetSession](t, s.begin(t, map[string]any{}).Want(t, http.StatusCreated))}
}

// on returns the visitor at another server with the same database.
func (v visitor) on(s *apitest.Server) visitor {
	other := *v.shop
	other.Server = s
	return visitor{&other, v.WidgetSession}
}

func (v visitor) send(t *testing.T, clientMessageID, content string, files ...uuid.UUID) apitest.Response {
	t.Helper()
	body := map[string]any{"clientMessageId": clientMessageID, "content": content}
	if len(files) > 0 {
		body["attachmentIds"] = files
	}
	return v.Post(t, v.Token, "/widget/messages", body)
}

func (v visitor) say(t *testing.T, content string) api.WidgetMessage {
	t.Helper()
	return apitest.Decode[api.WidgetMessage](t, v.send(t, uuid.NewString(), content).Want(t, http.StatusCreated))
}

func (v visitor) follow(t *testing.T, last string) *apitest.Stream {
	t.Helper()
	r := apitest.Request{Path: "/widget/events", Token: v.Token, Header: map[string]string{}}
	if last != "" {
		r.Header["Last-Event-ID"] = last
	}
	return v.Stream(t, r)
}

func (v visitor) history(t *testing.T) []api.WidgetMessage {
	t.Helper()
	return apitest.Decode[[]api.WidgetMessage](t, v.Get(t, v.Token, "/widget/messages?limit=200").Want(t, http.StatusOK))
}

// conversation returns the only conversation of the workspace.
func (s *shop) conversation(t *testing.T) uuid.UUID {
	t.Helper()
	return apitest.First[api.Conversation](t, s.Server, apitest.Space{ID: s.space, Token: s.token}, "/conversations").ID
}

func (s *shop) handOff(t *testing.T) {
	t.Helper()
	s.Post(t, s.token, "/conversations/"+s.conversation(t).String()+"/hand-off", `{}`).Want(t, http.StatusOK)
}

func (s *shop) reply(t *testing.T, content string) {
	t.Helper()
	s.Post(t, s.token, "/conversations/"+s.conversation(t).String()+"/operator-message", map[string]any{"content": content}).Want(t, http.StatusCreated)
}

func message(t *testing.T, event apitest.StreamEvent) api.WidgetMessage {
	t.Helper()
	var m api.WidgetMessage
	require.NoError(t, json.Unmarshal(event.Data, &m))
	return m
}

func status(t *testing.T, event apitest.StreamEvent) api.ConversationStatus {
	t.Helper()
	var c api.WidgetConversation
	require.NoError(t, json.Unmarshal(event.Data, &c))
	return c.Status
}

// TestVisitorsSeeTheirOwn: a visitor reads nothing of another one, of the same channel or of
// another workspace.
func TestVisitorsSeeTheirOwn(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	anna := s.visit(t)
	file := upload(t, anna, "shoes.png").ID
	anna.send(t, uuid.NewString(), "Secret", file).Want(t, http.StatusCreated)
	sent := anna.history(t)[0]
	stream := anna.follow(t, "")
	stream.Next(t, "conversation")
	last := stream.Next(t, "message").ID
	theirs := s.Token(t, s.Workspace(t, "other"))
	elsewhere := *s
	elsewhere.channel = s.newChannel(t, theirs, nil)
	for _, other := range []visitor{s.visit(t), elsewhere.visit(t)} {
		require.Empty(t, other.history(t))
		other.Get(t, other.Token, "/widget/attachments/"+sent.Attachments[0].ID.String()).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
		other.Post(t, other.Token, "/widget/read", map[string]any{"messageId": sent.ID}).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
		waiting := upload(t, anna, "more.png").ID
		other.send(t, uuid.NewString(), "", waiting).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownAttachment)
		resumed := other.follow(t, last)
		own := other.say(t, "Hello")
		require.Equal(t, api.ConversationStatusOPEN, status(t, resumed.Next(t, "conversation")))
		require.Equal(t, own, message(t, resumed.Next(t, "message")))
		require.Zero(t, resumed.Waiting())
	}
	require.Zero(t, stream.Waiting())
}

func upload(t *testing.T, v visitor, name string) api.WidgetFile {
	t.Helper()
	return apitest.Decode[api.WidgetFile](t, v.Do(t, apitest.Request{
		Method: http.MethodPost, Path: "/widget/attachments", Token: v.Token, Body: "bytes of " + name,
		Header: map[string]string{"Content-Type": "image/png", "X-Original-Name": name},
	}).Want(t, http.StatusCreated))
}

func TestVisitorSendsFiles(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v := s.visit(t)
	file := upload(t, v, "%C5%BCaba.png")
	require.Equal(t, "żaba.png", *file.Name)
	require.EqualValues(t, len("bytes of %C5%BCaba.png"), file.SizeBytes)
	id := uuid.NewString()
	sent := apitest.Decode[api.WidgetMessage](t, v.send(t, id, "", file.ID).Want(t, http.StatusCreated))
	require.Len(t, sent.Attachments, 1)
	require.Equal(t, api.AttachmentTypeIMAGE, sent.Attachments[0].Type)
	require.Equal(t, file.SizeBytes, *sent.Attachments[0].SizeBytes)
	require.Equal(t, sent, apitest.Decode[api.WidgetMessage](t, v.send(t, id, "", file.ID).Want(t, http.StatusOK)))
	v.send(t, uuid.NewString(), "", file.ID).Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeUnknownAttachment)
	attachment := sent.Attachments[0].ID.String()
	got := v.Get(t, v.Token, "/widget/attachments/"+attachment).Want(t, http.StatusOK)
	require.Equal(t, "bytes of %C5%BCaba.png", string(got.Body))
	require.Equal(t, "private, no-store", got.Header.Get("Cache-Control"))
	require.Equal(t, got.Body, s.Get(t, s.token, "/attachments/"+attachment).Want(t, http.StatusOK).Body)

	s.Exec(t, `INSERT INTO widget_uploads (workspace_id, id, channel_id, external_id, content_type, size_bytes, blob_key, created_at)
		SELECT $1, gen_random_uuid(), $2, 'x', 'text/plain', 1, n::text, now() FROM generate_series(1, 1000) AS n`, s.space, s.channel)
	v.Do(t, apitest.Request{
		Method: http.MethodPost, Path: "/widget/attachments", Token: v.Token, Body: "x", Header: map[string]string{"Content-Type": "text/plain"},
	}).Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
}

// TestFilesOfAnAddressAreLimited: one who begins session after session does not use up what
// the other visitors may upload.
func TestFilesOfAnAddressAreLimited(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{RateLimits: true}, nil)
	for range 6 {
		v := s.visit(t)
		for range 10 {
			upload(t, v, "shoes.png")
		}
	}
	v := s.visit(t)
	send := apitest.Request{Method: http.MethodPost, Path: "/widget/attachments", Token: v.Token, Body: "x", Header: map[string]string{"Content-Type": "text/plain"}}
	s.Do(t, send).Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
	s.Clock.Advance(time.Hour - time.Second) // within the session
	s.Do(t, send).Problem(t, http.StatusTooManyRequests, api.ErrorCodeRateLimited)
	s.Clock.Advance(time.Second)
	send.Token = s.visit(t).Token
	s.Do(t, send).Want(t, http.StatusCreated)
}

func TestFilesThatAreNotSentAreDeleted(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v := s.visit(t)
	sent, waiting := upload(t, v, "sent.png").ID, upload(t, v, "waiting.png").ID
	v.send(t, uuid.NewString(), "", sent).Want(t, http.StatusCreated)
	files, err := blob.Directory(s.Storage)
	require.NoError(t, err)
	sweep := widget.SweepWorker{DB: s.DB, Clock: s.Clock, Blobs: files}
	open := func(id uuid.UUID) error {
		file, err := files.Open(t.Context(), "widget/"+s.space.String()+"/"+id.String())
		if err == nil {
			return file.Close()
		}
		return err
	}
	s.Clock.Advance(24 * time.Hour)
	require.NoError(t, sweep.Work(t.Context(), nil))
	require.NoError(t, open(waiting))
	s.Clock.Advance(time.Second)
	require.NoError(t, sweep.Work(t.Context(), nil))
	require.ErrorIs(t, open(waiting), blob.ErrNotFound)
	require.NoError(t, open(sent))
}

func TestVisitorHasFewStreams(t *testing.T) {
	t.Parallel()
	s := openShop(t, apitest.Options{}, nil)
	v := s.visit(t)
	v.say(t, "Hi")
	streams := make([]*apitest.Stream, 7)
	for i := range streams {
		streams[i] = v.follow(t, "")
		streams[i].Next(t, "conversation")
		streams[i].Next(t, "message")
	}
	require.Empty(t, streams[0].Ended(t), "the oldest ends")
	v.say(t, "Hello")
	for _, stream := range streams[1:] {
		require.Equal(t, "Hello", message(t, stream.Next(t, "message")).Content)
	}
}
