package hooks_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/mail"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/domain/channel/email"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/telegram"
	"github.com/avelto/convo/internal/domain/channel/website"
	"github.com/avelto/convo/internal/platform/apiclient"
	"github.com/avelto/convo/internal/platform/egress"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/reader"
)

// record is what happens in a conversation, in the order in which it was seen. If
// CONVO_RECORD names a document, make record replaces the records in it.
type record struct {
	*apitest.Server

	token    string
	agent    uuid.UUID
	receiver *apitest.Receiver
	secret   string
	seen     int // events of the receiver that were noted
	title    string
	lines    []string
}

// beginRecord starts a server whose mailboxes are read without delay, and a webhook.
func beginRecord(t *testing.T, title string) *record {
	t.Helper()
	program, err := reader.Path()
	require.NoError(t, err)
	guard := egress.NewGuard(egress.Loopback())
	r := &record{receiver: apitest.NewReceiver(t, nil), title: title, Server: apitest.New(t, apitest.Options{
		Workers: true, PublicURL: true, Providers: provider.NewRegistry(website.Provider{}, &telegram.Provider{Client: apiclient.New(guard)}, &email.Provider{
			Guard: guard, Reader: &extract.Runner{Binary: program}, Log: slog.New(slog.DiscardHandler), PollInterval: 50 * time.Millisecond,
		}),
	})}
	r.token = r.Token(t, r.Workspace(t, "shop"))
	r.agent = apitest.Decode[api.AgentDetail](t, r.Post(t, r.token, "/agents", `{"name":"A","modelProvider":"openai","modelName":"m"}`).Want(t, http.StatusCreated)).ID
	hook := apitest.Decode[api.WebhookCreated](t, r.Post(t, r.token, "/integrations/webhook", map[string]any{
		"type": "WEBHOOK", "url": r.receiver.URL, "events": []string{"message.created", "message.delivery_changed"},
	}).Want(t, http.StatusCreated))
	r.secret = *hook.SigningSecret
	return r
}

func (r *record) notef(who, format string, values ...any) {
	r.lines = append(r.lines, fmt.Sprintf("| %s | %s |", who, fmt.Sprintf(format, values...)))
}

// connect creates a channel.
func (r *record) connect(t *testing.T, body map[string]any) api.ChannelDetail {
	t.Helper()
	body["agentId"], body["name"] = r.agent, "Shop"
	created := apitest.Decode[api.ChannelDetail](t, r.Post(t, r.token, "/channels", body).Want(t, http.StatusCreated))
	require.Equal(t, api.ChannelStatusCONNECTED, created.Status, "%+v", created.Error)
	r.notef("API", "`POST /channels` → 201, `%s` is `%s`", created.Type, created.Status)
	return created
}

// webhooks waits for events, which may arrive in another order, and verifies their signatures.
func (r *record) webhooks(t *testing.T, types ...string) {
	t.Helper()
	require.Eventually(t, func() bool { return len(r.receiver.All()) >= r.seen+len(types) }, 3*time.Minute, 10*time.Millisecond)
	all := r.receiver.All()[r.seen:]
	require.Len(t, all, len(types))
	slices.SortFunc(all, func(a, b apitest.Received) int { return cmp.Compare(a.Sequence, b.Sequence) })
	for i, one := range all {
		one.VerifySignatures(t, r.secret)
		require.Equal(t, types[i], one.Type, string(one.Body))
		var data struct {
			Message api.Message `json:"message"`
		}
		require.NoError(t, json.Unmarshal(one.Data, &data))
		r.notef("Webhook", "`%s`: %q by `%s`, `%s`; both signatures are valid", one.Type, data.Message.Content, data.Message.Author.Type, data.Message.DeliveryStatus)
	}
	r.seen += len(types)
}

// conversation returns the only conversation of a channel, which has this many messages.
func (r *record) conversation(t *testing.T, channel uuid.UUID, count int) (id uuid.UUID, messages []api.Message) {
	t.Helper()
	rows := apitest.Decode[[]api.Conversation](t, r.Get(t, r.token, "/conversations?channelId="+channel.String()).Want(t, http.StatusOK))
	require.Len(t, rows, 1)
	id = rows[0].ID
	messages = apitest.Decode[[]api.Message](t, r.Get(t, r.token, "/conversations/"+id.String()+"/messages?order=asc").Want(t, http.StatusOK))
	require.Len(t, messages, count)
	r.Clock.Advance(time.Second) // what follows is later
	r.notef("API", "`GET /conversations` shows the conversation; its latest message is %q", messages[count-1].Content)
	return id, messages
}

// reply hands the conversation off, if it is not yet, and replies as an operator.
func (r *record) reply(t *testing.T, conversation uuid.UUID, content string) time.Time {
	t.Helper()
	path := "/conversations/" + conversation.String()
	r.Post(t, r.token, path+"/hand-off", `{}`).Want(t, http.StatusOK)
	r.notef("API", "`POST …/hand-off` → 200")
	sent := time.Now()
	r.Post(t, r.token, path+"/operator-message", map[string]any{"content": content}).Want(t, http.StatusCreated)
	r.notef("API", "`POST …/operator-message` %q → 201, `QUEUED`", content)
	r.Clock.Advance(time.Second) // what follows is later
	return sent
}

// documents is held while a document is written.
var documents sync.Mutex

// end replaces the record in the document, if there is one.
func (r *record) end(t *testing.T) {
	t.Helper()
	require.NotContains(t, r.LogText(), botToken)
	require.NotContains(t, r.LogText(), shopPassword)
	path := os.Getenv("CONVO_RECORD")
	if path == "" {
		return
	}
	documents.Lock()
	defer documents.Unlock()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	mark := func(place string) string { return "<!-- record of " + r.title + ": " + place + " -->" }
	head, rest, found := strings.Cut(string(content), mark("begin"))
	_, tail, foundEnd := strings.Cut(rest, mark("end"))
	require.True(t, found && foundEnd, "the document lacks the marks of %s", r.title)
	table := "\n\n| Seen by | What |\n|---|---|\n" + strings.Join(r.lines, "\n") + "\n\n"
	require.NoError(t, os.WriteFile(path, []byte(head+mark("begin")+table+mark("end")+tail), 0o600))
}

func TestRecordOfAWebsite(t *testing.T) {
	t.Parallel()
	r := beginRecord(t, "a website")
	channel := r.connect(t, map[string]any{"type": "WEBSITE"})
	session := apitest.Decode[api.WidgetSession](t, r.Post(t, "", "/widget/sessions", map[string]any{"channelId": channel.ID}).Want(t, http.StatusCreated))
	stream := r.Stream(t, apitest.Request{Path: "/widget/events", Token: session.Token})
	const question, answer = "Do you have these shoes in 39?", "Yes, in blue."
	r.Post(t, session.Token, "/widget/messages", map[string]any{"clientMessageId": uuid.NewString(), "content": question}).Want(t, http.StatusCreated)
	r.notef("Visitor", "`POST /widget/messages` %q → 201", question)
	stream.Next(t, "conversation")
	stream.Next(t, "message")
	r.webhooks(t, "message.created")
	id, _ := r.conversation(t, channel.ID, 1)
	sent := r.reply(t, id, answer)
	stream.Next(t, "conversation")
	var shown api.WidgetMessage
	require.NoError(t, json.Unmarshal(stream.Next(t, "message").Data, &shown))
	took := time.Since(sent)
	require.Equal(t, answer, shown.Content)
	r.notef("Visitor", "the stream shows %q, %d ms after the request was sent", answer, took.Milliseconds())
	require.Less(t, took, 10*time.Second, "it does not wait for a poll of the visitor")
	r.webhooks(t, "message.created", "message.delivery_changed")
	r.Post(t, session.Token, "/widget/read", map[string]any{"messageId": shown.ID}).Want(t, http.StatusNoContent)
	r.notef("Visitor", "`POST /widget/read` → 204")
	r.webhooks(t, "message.delivery_changed")
	r.end(t)
}

func TestRecordOfTelegram(t *testing.T) {
	t.Parallel()
	r, bot := beginRecord(t, "Telegram"), newBotAPI(t)
	channel := r.connect(t, map[string]any{"type": "TELEGRAM", "apiBaseUrl": bot.URL, "credentials": map[string]string{"botToken": botToken}})
	s := &shop{Server: r.Server, bot: bot, token: r.token, agent: r.agent, channel: channel}
	const question, answer = "Do you have size 42?", "Yes, we do."
	for range 2 {
		require.Equal(t, http.StatusOK, s.update(t, bot.secret, message(1365, `"text":"`+question+`"`)))
	}
	r.notef("Telegram", "calls the hook with %q → 200, and once more with the same update → 200", question)
	r.webhooks(t, "message.created")
	id, _ := r.conversation(t, channel.ID, 1)
	r.reply(t, id, answer)
	r.webhooks(t, "message.created", "message.delivery_changed")
	require.Equal(t, []string{answer}, bot.texts(t))
	r.notef("Telegram", "`sendMessage` was called once, with %q", answer)
	r.end(t)
}

func TestRecordOfEmail(t *testing.T) {
	t.Parallel()
	r, server := beginRecord(t, "email"), newMailServer(t)
	r.runClock(t) // a connection that breaks is opened again some seconds later
	channel := r.connect(t, map[string]any{
		"type": "EMAIL", "config": map[string]any{"fromAddress": shopAddress, "inbound": "imap", "smtp": at(t, server.smtp), "imap": at(t, server.imap)},
		"credentials": map[string]string{"imapUsername": shopUser, "imapPassword": shopPassword},
	})
	// The channel reads what arrives after it has noted where the mailbox begins.
	require.Eventually(t, func() bool {
		var begun bool
		err := r.DB.QueryRow(context.WithoutCancel(t.Context()), "SELECT state <> '{}' FROM channels WHERE id = $1", channel.ID).Scan(&begun)
		return err == nil && begun
	}, 3*time.Minute, 20*time.Millisecond)
	const question, answer = "Can I return my shoes?", "Yes, within 30 days."
	server.send(t, shopAddress, "Subject: Return\nMessage-ID: <1@example.com>\n", question)
	r.notef("Anna", "sends %q by SMTP to the mailbox of the channel", question)
	r.webhooks(t, "message.created")
	id, _ := r.conversation(t, channel.ID, 1)
	r.reply(t, id, answer)
	r.webhooks(t, "message.created", "message.delivery_changed")
	require.Len(t, server.inbox(), 1)
	received, err := mail.ReadMessage(strings.NewReader(server.inbox()[0]))
	require.NoError(t, err)
	require.Contains(t, server.inbox()[0], answer)
	require.Equal(t, "<1@example.com>", received.Header.Get("In-Reply-To"))
	r.notef("Anna", "has received one email: `Subject: %s`, `In-Reply-To: %s`", received.Header.Get("Subject"), received.Header.Get("In-Reply-To"))

	replyTo, err := mail.ParseAddress(received.Header.Get("Reply-To"))
	require.NoError(t, err)
	server.send(t, replyTo.Address, "Subject: "+received.Header.Get("Subject")+"\nMessage-ID: <2@example.com>\nIn-Reply-To: "+received.Header.Get("Message-ID")+"\n",
		"Thanks!\n\nOn Thu, Apr 30, 2026 at 12:00 PM Shop <"+shopAddress+"> wrote:\n> "+answer+"\n")
	r.notef("Anna", "replies by SMTP, with the email quoted")
	r.webhooks(t, "message.created")
	again, messages := r.conversation(t, channel.ID, 3)
	require.Equal(t, id, again)
	require.Equal(t, "Thanks!", messages[2].Content)
	r.end(t)
}

// runClock lets the clock of the server run until the test ends.
func (r *record) runClock(t *testing.T) {
	t.Helper()
	ticker, ended := time.NewTicker(time.Second), make(chan struct{})
	t.Cleanup(func() {
		ticker.Stop()
		close(ended)
	})
	go func() {
		for {
			select {
			case <-ticker.C:
				r.Clock.Advance(time.Second)
			case <-ended:
				return
			}
		}
	}()
}

// at returns the settings of a server.
func at(t *testing.T, address string) map[string]any {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	require.NoError(t, err)
	number, err := strconv.Atoi(port)
	require.NoError(t, err)
	return map[string]any{"host": host, "port": number, "security": "none"}
}
