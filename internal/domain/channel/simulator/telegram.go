package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	api "github.com/avelto/convo/gen/api/model"
)

// Telegram is a Bot API (https://core.telegram.org/bots/api). Every token of the right form is
// that of a bot.
type Telegram struct {
	Core

	hooks map[string]telegramHook // by URL
}

// telegramHook is a hook that a bot has registered. A bot has one at Telegram; here a second
// channel with the same bot leaves the hook of the first as it is.
type telegramHook struct{ token, secret string }

// NewTelegram returns a Bot API.
func NewTelegram() *Telegram { return &Telegram{hooks: map[string]telegramHook{}} }

const (
	telegramToken  = "123456:AAE-simulated-token-0123456789abcdef" //nolint:gosec // accepted by the simulator alone
	telegramSecret = "simulated-hook-secret"
)

// telegramPath matches a method or a file of a bot.
var telegramPath = regexp.MustCompile(`^/(file/)?bot([0-9]+:[A-Za-z0-9_-]{30,})/(.*)$`)

// maxUpload bounds what a simulator reads, in bytes.
const maxUpload = 64 << 20

// telegramLimit is the longest text of a message, in UTF-16 code units.
const telegramLimit = 4096

// Type implements Simulator.
func (*Telegram) Type() api.ChannelType { return api.ChannelTypeTELEGRAM }

// Settings implements Simulator.
func (*Telegram) Settings() Settings {
	return Settings{Config: json.RawMessage("{}"), Credentials: map[string]string{"botToken": telegramToken, "hookSecret": telegramSecret}}
}

// ServeHTTP implements Simulator.
func (s *Telegram) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	matched := telegramPath.FindStringSubmatch(r.URL.Path)
	if matched == nil {
		Write(w, telegramError(http.StatusUnauthorized, "Unauthorized", 0))
		return
	}
	token, method := matched[2], matched[3]
	if matched[1] != "" {
		s.download(w, method)
		return
	}
	switch method {
	case "getMe":
		Write(w, telegramResult(map[string]any{"id": 123456, "is_bot": true, "first_name": "Simulated", "username": "simulated_bot"}))
	case "setWebhook":
		s.setWebhook(w, r, token)
	case "deleteWebhook":
		s.deleteWebhook(token)
		Write(w, telegramResult(true))
	case "sendChatAction":
		Write(w, telegramResult(true))
	case "getFile":
		var in struct {
			ID string `json:"file_id"`
		}
		_ = json.NewDecoder(io.LimitReader(r.Body, maxUpload)).Decode(&in)
		Write(w, telegramResult(map[string]any{"file_id": in.ID, "file_path": "documents/" + in.ID}))
	case "sendMessage", "sendPhoto", "sendVoice", "sendAudio", "sendVideo", "sendDocument":
		s.send(w, r)
	default:
		Write(w, telegramError(http.StatusNotFound, "Not Found", 0))
	}
}

func (s *Telegram) setWebhook(w http.ResponseWriter, r *http.Request, token string) {
	var in struct {
		URL    string `json:"url"`
		Secret string `json:"secret_token"`
	}
	if err := json.NewDecoder(io.LimitReader(r.Body, maxUpload)).Decode(&in); err != nil {
		Write(w, telegramError(http.StatusBadRequest, "Bad Request: can't parse", 0))
		return
	}
	s.mu.Lock()
	s.hooks[in.URL] = telegramHook{token: token, secret: in.Secret}
	s.mu.Unlock()
	s.Registered(in.URL)
	Write(w, telegramResult(true))
}

// deleteWebhook removes the hooks of a bot.
func (s *Telegram) deleteWebhook(token string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(s.hooks, func(_ string, hook telegramHook) bool { return hook.token == token })
}

func (s *Telegram) download(w http.ResponseWriter, path string) {
	f, ok := s.File(path[strings.LastIndexByte(path, '/')+1:])
	if !ok {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	_, _ = w.Write(f.Content)
}

func (s *Telegram) send(w http.ResponseWriter, r *http.Request) {
	m, err := telegramMessage(r)
	switch {
	case err != nil:
		Write(w, telegramError(http.StatusBadRequest, "Bad Request: can't parse", 0))
	case m.Text == "" && len(m.Files) == 0:
		Write(w, telegramError(http.StatusBadRequest, "Bad Request: message text is empty", 0))
	case len(utf16.Encode([]rune(m.Text))) > telegramLimit:
		Write(w, telegramError(http.StatusBadRequest, "Bad Request: message is too long", 0))
	default:
		s.Serve(w, r, m, telegramAccepted, telegramFault)
	}
}

func telegramMessage(r *http.Request) (m Message, err error) {
	if strings.HasPrefix(r.Header.Get("Content-Type"), "multipart/") {
		m.Files, err = formFiles(r)
		m.To, m.Text = r.FormValue("chat_id"), r.FormValue("caption")
		return m, err
	}
	var in struct {
		ChatID json.RawMessage `json:"chat_id"`
		Text   string          `json:"text"`
		Reply  struct {
			ID int64 `json:"message_id"`
		} `json:"reply_parameters"`
	}
	err = json.NewDecoder(io.LimitReader(r.Body, maxUpload)).Decode(&in)
	m.To, m.Text = strings.Trim(string(in.ChatID), `"`), in.Text
	if in.Reply.ID != 0 {
		m.ReplyTo = strconv.FormatInt(in.Reply.ID, 10)
	}
	return m, err
}

// formFiles reads the files of a form.
func formFiles(r *http.Request) (files []File, err error) {
	if err := r.ParseMultipartForm(maxUpload); err != nil {
		return nil, fmt.Errorf("form: %w", err)
	}
	for _, parts := range r.MultipartForm.File {
		for _, part := range parts {
			opened, err := part.Open()
			if err != nil {
				return nil, fmt.Errorf("file: %w", err)
			}
			content, err := io.ReadAll(io.LimitReader(opened, maxUpload))
			_ = opened.Close()
			if err != nil {
				return nil, fmt.Errorf("file: %w", err)
			}
			files = append(files, File{Name: part.Filename, ContentType: part.Header.Get("Content-Type"), Content: content})
		}
	}
	return files, nil
}

func telegramAccepted(m Message, number int) (Message, Response) {
	if m.ID == "" {
		m.ID = strconv.Itoa(1_000_000 + number)
	}
	id, _ := strconv.Atoi(m.ID)
	chat, _ := strconv.ParseInt(m.To, 10, 64)
	return m, telegramResult(map[string]any{
		"message_id": id, "date": m.At.Unix(), "chat": map[string]any{"id": chat, "type": "private"}, "text": m.Text,
	})
}

func telegramFault(f Fault) Response {
	switch f { //nolint:exhaustive // the others are not responses
	case Limited:
		const seconds = 7
		return telegramError(http.StatusTooManyRequests, "Too Many Requests: retry after 7", seconds)
	case Revoked:
		return telegramError(http.StatusUnauthorized, "Unauthorized", 0)
	case OptedOut:
		return telegramError(http.StatusForbidden, "Forbidden: bot was blocked by the user", 0)
	case Refuse, WindowClosed:
		return telegramError(http.StatusBadRequest, "Bad Request: message can't be sent", 0)
	}
	return telegramError(http.StatusInternalServerError, "Internal Server Error", 0)
}

func telegramResult(result any) Response {
	return Response{Status: http.StatusOK, Body: map[string]any{"ok": true, "result": result}}
}

func telegramError(status int, description string, retryAfter int) Response {
	body := map[string]any{"ok": false, "error_code": status, "description": description}
	if retryAfter > 0 {
		body["parameters"] = map[string]any{"retry_after": retryAfter}
	}
	return Response{Status: status, Body: body}
}

// Sign implements Simulator.
func (s *Telegram) Sign(hook string, _ time.Time, body []byte) Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Request{Method: http.MethodPost, URL: hook, Body: body, Header: http.Header{
		"Content-Type": {"application/json"}, "X-Telegram-Bot-Api-Secret-Token": {cmp.Or(s.hooks[hook].secret, telegramSecret)},
	}}
}

// Hook implements Simulator. Telegram sends one update in a request.
func (s *Telegram) Hook(hook string, at time.Time, events ...Event) (Request, error) {
	if len(events) != 1 {
		return Request{}, ErrUnsupported
	}
	update, err := s.update(at, events[0])
	if err != nil {
		return Request{}, err
	}
	return s.Sign(hook, at, encode(update)), nil
}

func (s *Telegram) update(at time.Time, e Event) (map[string]any, error) {
	if _, err := strconv.ParseInt(e.From, 10, 64); err != nil {
		return nil, ErrContact
	}
	from, id := json.RawMessage(e.From), json.RawMessage(e.ID)
	chat := map[string]any{"id": from, "type": "private"}
	message := map[string]any{
		"message_id": id, "date": at.Unix(), "text": e.Text, "chat": chat,
		"from": map[string]any{"id": from, "is_bot": false, "first_name": e.Name},
	}
	switch e.Kind { //nolint:exhaustive // the others are not reported
	case Wrote:
		if e.File != nil {
			delete(message, "text")
			message["caption"] = e.Text
			message["document"] = map[string]any{
				"file_id": s.AddFile(*e.File), "file_name": e.File.Name, "mime_type": e.File.ContentType, "file_size": len(e.File.Content),
			}
		}
		return map[string]any{"update_id": id, "message": message}, nil
	case Edited:
		message["edit_date"] = at.Unix()
		return map[string]any{"update_id": id, "edited_message": message}, nil
	case Blocked, Unblocked:
		status := map[Kind]string{Blocked: "kicked", Unblocked: "member"}[e.Kind]
		return map[string]any{"update_id": id, "my_chat_member": map[string]any{
			"chat": chat, "new_chat_member": map[string]any{"status": status},
		}}, nil
	}
	return nil, ErrUnsupported
}
