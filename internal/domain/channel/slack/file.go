package slack

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/avelto/convo/internal/domain/channel/httpcall"
	"github.com/avelto/convo/internal/domain/channel/provider"
	"github.com/avelto/convo/internal/platform/apiclient"
)

// Fetch implements provider.Fetcher: path is that of url_private. Without the scope
// files:read, Slack responds with a page to sign in.
func (p *Provider) Fetch(ctx context.Context, c provider.Channel, path string) (provider.File, error) {
	if !strings.HasPrefix(path, "/") {
		return provider.File{}, &provider.SendError{Kind: provider.Permanent, Detail: "This is not a file at Slack."}
	}
	file, failed := service.Download(ctx, p.Client, c, httpcall.BaseURL(c, filesURL)+path, authorization(c))
	if failed == nil && strings.HasPrefix(file.ContentType, "text/html") && !strings.HasSuffix(path, ".html") {
		_ = file.Close()
		failed = &provider.SendError{Kind: provider.Credentials, Code: "200"}
	}
	if failed == nil {
		return file, nil
	}
	if code, _ := strconv.Atoi(failed.Code); failed.Kind != provider.Permanent && code >= http.StatusOK && code < http.StatusInternalServerError && code != http.StatusTooManyRequests {
		failed.Kind, failed.Detail = provider.Credentials, "Slack did not let the bot download a file. It needs the scope files:read."
	}
	return provider.File{}, failed
}

// share uploads a file, and then shares it in a room or a thread: no one sees it before. Slack
// shares files later than it responds, so the message has no timestamp yet.
func (p *Provider) share(ctx context.Context, c provider.Channel, file provider.OutboundAttachment, to, thread string) (provider.Sent, error) {
	id, err := p.upload(ctx, c, file)
	if err != nil {
		return provider.Sent{}, err
	}
	parameters := map[string]any{"files": []map[string]string{{"id": id, "title": file.Name}}, "channel_id": to}
	if thread != "" {
		parameters["thread_ts"] = thread
	}
	var completed struct{}
	if err := p.call(ctx, c, "files.completeUploadExternal", parameters, &completed); err != nil {
		return provider.Sent{}, err
	}
	return provider.Sent{ExternalIDs: []string{messageID(to, id)}}, nil
}

// upload uploads a file, and returns its ID.
func (p *Provider) upload(ctx context.Context, c provider.Channel, file provider.OutboundAttachment) (id string, err error) {
	from, err := file.Open(ctx)
	if err != nil {
		return "", unreadableFile(err)
	}
	defer func() { _ = from.Close() }()
	content, err := io.ReadAll(from)
	if err != nil {
		return "", unreadableFile(err)
	}
	var place struct {
		URL string `json:"upload_url"`
		ID  string `json:"file_id"`
	}
	parameters := url.Values{"filename": {file.Name}, "length": {strconv.Itoa(len(content))}}
	if err := p.submit(ctx, c, "files.getUploadURLExternal", authorization(c), parameters, &place); err != nil {
		return "", err
	}
	if place.ID == "" || !strings.HasPrefix(place.URL, httpcall.BaseURL(c, filesURL)+"/") {
		return "", &provider.SendError{Kind: provider.Permanent, Detail: "Slack returned no place at its servers for the file."}
	}
	header := http.Header{"Content-Type": {"application/octet-stream"}} // the URL authorizes
	response, err := p.Client.Do(ctx, apiclient.Request{Method: http.MethodPost, URL: place.URL, Header: header, Body: content})
	if err != nil {
		return "", safe(service.NoResponse(c, err))
	}
	if response.Status != http.StatusOK {
		return "", &provider.SendError{Kind: provider.Retryable, Code: strconv.Itoa(response.Status), Detail: fmt.Sprintf("Slack responded %d to the upload.", response.Status)}
	}
	return place.ID, nil
}

func unreadableFile(cause error) *provider.SendError {
	return &provider.SendError{Kind: provider.Retryable, Detail: "The attachment cannot be read.", Cause: cause}
}
