package telegram_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/domain/channel/telegram"
)

const secret = "hook-secret-0123456789"

func channel() provider.Channel {
	return provider.Channel{
		Credentials: map[string]string{"botToken": "123456:AAE-abcdefghijklmnopqrstuvwxyz012345", "hookSecret": secret},
		HookURL:     "https://convo.example/hooks/1",
	}
}

func receive(t *testing.T, body string) provider.Received {
	t.Helper()
	received, err := (&telegram.Provider{}).Receive(channel(), provider.Request{
		Method: http.MethodPost, Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {secret}}, Body: []byte(body),
	})
	require.NoError(t, err)
	require.Empty(t, received.Malformed)
	require.Nil(t, received.Reply)
	return received
}

const from = `"from":{"id":1111,"is_bot":false,"first_name":"Anna","last_name":"Nowak","username":"anna"},"chat":{"id":1111,"type":"private","first_name":"Anna"}`

func TestMessagesAreParsed(t *testing.T) {
	t.Parallel()
	received := receive(t, `{"update_id":10000,"message":{"message_id":1365,`+from+`,"date":1441645532,"text":"/start 🙂","reply_to_message":{"message_id":1364,"date":1}}}`)
	require.Equal(t, []provider.Item{provider.Message{
		ExternalID: "1111:1365", Text: "/start 🙂", ReplyTo: "1111:1364", SentAt: time.Unix(1441645532, 0).UTC(),
		From: provider.Identity{ExternalID: "1111", Name: "Anna Nowak"},
	}}, received.Items)
}

func TestContentsOtherThanTextAreParsed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		json        string
		text        string
		attachments []provider.Attachment
	}{
		"photo": {
			`"caption":"my shoe","photo":[{"file_id":"small","file_size":10},{"file_id":"large","file_size":90}]`, "my shoe",
			[]provider.Attachment{{Type: provider.Image, ExternalID: "large", SizeBytes: 90, Name: "photo.jpg", ContentType: "image/jpeg"}},
		},
		"document": {
			`"document":{"file_id":"d1","file_name":"cv.pdf","mime_type":"application/pdf","file_size":5}`, "",
			[]provider.Attachment{{Type: provider.Other, ExternalID: "d1", SizeBytes: 5, Name: "cv.pdf", ContentType: "application/pdf"}},
		},
		"voice": {
			`"voice":{"file_id":"v1","duration":3,"mime_type":"audio/ogg"}`, "",
			[]provider.Attachment{{Type: provider.Audio, ExternalID: "v1", SizeBytes: -1, Name: "voice.ogg", ContentType: "audio/ogg"}},
		},
		"sticker":  {`"sticker":{"file_id":"s1","emoji":"👍"}`, "👍", nil},
		"location": {`"location":{"latitude":52.2297,"longitude":21.0122}`, "52.229700, 21.012200", nil},
		"contact":  {`"contact":{"phone_number":"+48123456789","first_name":"Jan"}`, "Jan  +48123456789", nil},
	} {
		received := receive(t, `{"update_id":1,"message":{"message_id":2,`+from+`,"date":3,`+c.json+`}}`)
		require.Len(t, received.Items, 1, name)
		message, ok := received.Items[0].(provider.Message)
		require.True(t, ok, name)
		require.Equal(t, c.text, message.Text, name)
		require.Equal(t, c.attachments, message.Attachments, name)
	}
}

func TestEditsAndBlocksAreParsed(t *testing.T) {
	t.Parallel()
	require.Equal(t, []provider.Item{provider.Edit{ExternalID: "1111:5", Text: "new", At: time.Unix(9, 0).UTC()}},
		receive(t, `{"update_id":1,"edited_message":{"message_id":5,`+from+`,"date":8,"edit_date":9,"text":"new"}}`).Items)
	for status, on := range map[string]bool{"kicked": true, "member": false} {
		require.Equal(t, []provider.Item{provider.Block{From: "1111", On: on}},
			receive(t, `{"update_id":1,"my_chat_member":{"chat":{"id":1111,"type":"private"},"new_chat_member":{"status":"`+status+`"}}}`).Items)
	}
}

func TestGroupsBotsAndOtherUpdatesAreIgnored(t *testing.T) {
	t.Parallel()
	for _, body := range []string{
		`{"update_id":1,"message":{"message_id":1,"from":{"id":2},"chat":{"id":-100,"type":"group"},"date":1,"text":"hi"}}`,
		`{"update_id":1,"message":{"message_id":1,"from":{"id":2,"is_bot":true},"chat":{"id":2,"type":"private"},"date":1,"text":"hi"}}`,
		`{"update_id":1,"channel_post":{"message_id":1}}`,
		`{"update_id":1}`,
		`{}`,
	} {
		require.Empty(t, receive(t, body).Items, body)
	}
}

func TestRequestsWithoutTheSecretAreRejected(t *testing.T) {
	t.Parallel()
	p, body := &telegram.Provider{}, []byte(`{"update_id":1}`)
	for _, given := range []http.Header{nil, {"X-Telegram-Bot-Api-Secret-Token": {""}}, {"X-Telegram-Bot-Api-Secret-Token": {secret[:10]}}, {"X-Telegram-Bot-Api-Secret-Token": {secret + "x"}}} {
		_, err := p.Receive(channel(), provider.Request{Header: given, Body: body})
		require.ErrorIs(t, err, provider.ErrUnauthenticated)
	}
	open := channel()
	delete(open.Credentials, "hookSecret")
	_, err := p.Receive(open, provider.Request{Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {""}}, Body: body})
	require.ErrorIs(t, err, provider.ErrUnauthenticated, "a channel without a secret accepts nothing")
}

func FuzzReceive(f *testing.F) {
	f.Add([]byte(`{"update_id":1,"message":{"message_id":2,` + from + `,"date":3,"text":"x"}}`))
	f.Add([]byte(`[]`))
	f.Fuzz(func(t *testing.T, body []byte) {
		_, err := (&telegram.Provider{}).Receive(channel(), provider.Request{Header: http.Header{"X-Telegram-Bot-Api-Secret-Token": {secret}}, Body: body})
		if err != nil {
			require.ErrorIs(t, err, provider.ErrMalformed)
		}
	})
}
