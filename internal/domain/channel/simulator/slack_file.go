package simulator

import (
	"io"
	"net/http"
	"strconv"
)

// slackUploads is the path of uploads; the ID of the file follows.
const slackUploads = "/upload/v1/"

// reserve returns where to upload a file. The method accepts forms only.
func (s *Slack) reserve(w http.ResponseWriter, r *http.Request) {
	length, err := strconv.Atoi(r.PostFormValue("length"))
	if err != nil || length <= 0 || r.PostFormValue("filename") == "" {
		Write(w, slackError("invalid_arguments"))
		return
	}
	id := s.AddFile(File{Name: r.PostFormValue("filename")})
	Write(w, Response{Status: http.StatusOK, Body: map[string]any{"ok": true, "upload_url": "http://" + r.Host + slackUploads + id, "file_id": id}})
}

func (s *Slack) upload(w http.ResponseWriter, r *http.Request, id string) {
	file, ok := s.File(id)
	content, err := io.ReadAll(io.LimitReader(r.Body, maxUpload))
	if !ok || err != nil {
		w.WriteHeader(http.StatusNotFound)
		return
	}
	file.Content = content
	s.AddFile(file)
	w.WriteHeader(http.StatusOK)
}

// complete shares files.
func (s *Slack) complete(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Files []struct {
			ID string `json:"id"`
		} `json:"files"`
		Channel string `json:"channel_id"`
		Thread  string `json:"thread_ts"`
	}
	if err := decode(r, &in); err != nil || len(in.Files) == 0 {
		Write(w, slackError("invalid_arguments"))
		return
	}
	m := Message{To: in.Channel, Thread: in.Thread}
	for _, one := range in.Files {
		file, ok := s.File(one.ID)
		if !ok || len(file.Content) == 0 {
			Write(w, slackError("file_not_found"))
			return
		}
		m.Files = append(m.Files, file)
	}
	s.Serve(w, r, m, func(m Message, _ int) (Message, Response) {
		m.ID = m.Files[0].ID
		return m, Response{Status: http.StatusOK, Body: map[string]any{"ok": true, "files": []any{map[string]any{"id": m.ID, "title": m.Files[0].Name}}}}
	}, slackFault)
}
