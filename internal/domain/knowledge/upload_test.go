package knowledge_test

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/stretchr/testify/require"
	"golang.org/x/text/encoding/charmap"

	"github.com/avelto/convo/gen/api"
	"github.com/avelto/convo/internal/platform/extract"
	"github.com/avelto/convo/internal/testing/apitest"
	"github.com/avelto/convo/internal/testing/bomb"
	"github.com/avelto/convo/internal/testing/reader"
)

// How long to wait for a job, and how often to look.
const (
	waitFor = time.Minute
	tick    = 10 * time.Millisecond
)

// bed is a server that takes knowledge in.
type bed struct {
	*apitest.Server

	token string
}

func newBed(t *testing.T) *bed {
	t.Helper()
	s := apitest.New(t, apitest.Options{Workers: true})
	return &bed{Server: s, token: s.Token(t, s.Workspace(t, "acme"))}
}

// warm compiles PDFium, which takes seconds the first time: once, and not in every
// process at the same time.
var warm = sync.OnceValue(func() error {
	program, err := reader.Path()
	if err != nil {
		return err
	}
	_, err = (&extract.Runner{Binary: program}).Read(context.Background(), extract.PDF, strings.NewReader("%PDF-1.7"))
	if blame, ok := errors.AsType[*extract.Error](err); ok && blame.Code == extract.Corrupt {
		return nil
	}
	return err
})

func (b *bed) send(t *testing.T, kind extract.Kind, name string, content []byte) apitest.Response {
	t.Helper()
	return b.Do(t, apitest.Request{
		Method: http.MethodPost, Path: "/knowledge/upload", Token: b.token, Body: content,
		Header: map[string]string{"Content-Type": string(kind), "X-Original-Name": name},
	})
}

// take uploads a file and returns its job once that has ended.
func (b *bed) take(t *testing.T, kind extract.Kind, name string, content []byte) api.KnowledgeJob {
	t.Helper()
	if kind == extract.PDF {
		require.NoError(t, warm())
	}
	job := apitest.Decode[api.KnowledgeJob](t, b.send(t, kind, name, content).Want(t, http.StatusAccepted))
	return b.wait(t, job)
}

func (b *bed) wait(t *testing.T, job api.KnowledgeJob) api.KnowledgeJob {
	t.Helper()
	require.Eventually(t, func() bool {
		job = apitest.Decode[api.KnowledgeJob](t, b.Get(t, b.token, "/knowledge/jobs/"+job.ID.String()).Want(t, http.StatusOK))
		return job.FinishedAt != nil
	}, waitFor, tick)
	return job
}

func (b *bed) completed(t *testing.T, kind extract.Kind, name string, content []byte) api.KnowledgeJob {
	t.Helper()
	job := b.take(t, kind, name, content)
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, job.Status, "%+v", job.Error)
	return job
}

func (b *bed) search(t *testing.T, query string) []api.KnowledgeSearchResult {
	t.Helper()
	answer := b.Post(t, b.token, "/knowledge/search", map[string]any{"query": query})
	return apitest.Decode[[]api.KnowledgeSearchResult](t, answer.Want(t, http.StatusOK))
}

const (
	returnsText = "Returns are taken within thirty days. Shoes must be clean and in their box."
	polishText  = "Zwroty przyjmujemy w ciągu trzydziestu dni. Buty muszą być czyste i w oryginalnym pudełku."
)

func pdf(t *testing.T, protect bool, pages ...string) []byte {
	t.Helper()
	file := fpdf.New("P", "mm", "A4", "")
	if protect {
		file.SetProtection(fpdf.CnProtectPrint, "secret", "owner")
	}
	file.SetFont("Helvetica", "", 12)
	for _, text := range pages {
		file.AddPage()
		file.MultiCell(0, 6, text, "", "", false)
	}
	var b bytes.Buffer
	require.NoError(t, file.Output(&b))
	return b.Bytes()
}

// word is a Word document: a heading and a paragraph.
func word(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	archive := zip.NewWriter(&b)
	for _, part := range []struct{ name, content string }{
		{"[Content_Types].xml", `<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"/>`},
		{"word/document.xml", `<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>` +
			`<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Returns</w:t></w:r></w:p>` +
			`<w:p><w:r><w:t>` + returnsText + `</w:t></w:r></w:p></w:body></w:document>`},
	} {
		w, err := archive.Create(part.name)
		require.NoError(t, err)
		_, err = io.WriteString(w, part.content)
		require.NoError(t, err)
	}
	require.NoError(t, archive.Close())
	return b.Bytes()
}

func TestEachKindOfFileIsReadAndFound(t *testing.T) {
	t.Parallel()
	encoded, err := charmap.Windows1250.NewEncoder().String(strings.Repeat(polishText+"\n", 5))
	require.NoError(t, err)
	page := "<!doctype html><html><head><title>Shop</title></head><body><nav><a href=/>menu navigation</a></nav><main><h1>Returns</h1><p>" +
		strings.Repeat(returnsText+" ", 10) + "</p></main><script>var hidden=1</script></body></html>"
	for _, file := range []struct {
		kind    extract.Kind
		name    string
		content []byte
		query   string
		heading string
		page    int32
	}{
		{extract.PDF, "handbook.pdf", pdf(t, false, "Welcome to the shop.", returnsText), "returned shoe", "", 2},
		{extract.DOCX, "handbook.docx", word(t), "returning shoes", "Returns", 0},
		{extract.HTML, "page.html", []byte(page), "clean shoe", "Returns", 0},
		{extract.Text, "plain.txt", []byte(returnsText), "box returns", "", 0},
		{extract.Text, "windows-1250.txt", []byte(encoded), "zwrot butów", "", 0},
		{extract.Markdown, "guide.md", []byte("# Shop\n\n## Returns\n\n" + returnsText + "\n\n- one\n- two\n"), "thirty days", "Shop › Returns", 0},
	} {
		t.Run(file.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			job := b.completed(t, file.kind, file.name, file.content)
			require.Equal(t, file.name, *job.FileName)
			require.Equal(t, int32(1), job.Progress.PagesDone)
			hits := b.search(t, file.query)
			require.NotEmpty(t, hits)
			require.Equal(t, *job.SourceID, hits[0].SourceID)
			require.Contains(t, hits[0].Snippet, "<mark>")
			require.NotContains(t, hits[0].Snippet, "hidden")
			if file.heading != "" {
				require.Equal(t, file.heading, *hits[0].Heading)
			}
			if file.page != 0 {
				require.Equal(t, file.page, *hits[0].Page)
			}
		})
	}
}

func TestABadFileFailsWithAReason(t *testing.T) {
	t.Parallel()
	many := make([]string, 2001)
	whole := word(t)
	cut := whole[:len(whole)-100] // without the archive's directory
	for name, file := range map[string]struct {
		kind    extract.Kind
		content []byte
		code    api.KnowledgeJobErrorCode
	}{
		"encrypted":   {extract.PDF, pdf(t, true, "secret"), api.KnowledgeJobErrorCodeEncryptedFile},
		"corrupt":     {extract.PDF, []byte("%PDF-1.7\n" + strings.Repeat("garbage ", 100)), api.KnowledgeJobErrorCodeCorruptFile},
		"no-text":     {extract.PDF, pdf(t, false, ""), api.KnowledgeJobErrorCodeNoText},
		"many-pages":  {extract.PDF, pdf(t, false, many...), api.KnowledgeJobErrorCodeTooManyPages},
		"zip-bomb":    {extract.DOCX, bomb.Zip(t, 200, "[Content_Types].xml", "word/document.xml"), api.KnowledgeJobErrorCodeTooLargeUnpacked},
		"broken-docx": {extract.DOCX, cut, api.KnowledgeJobErrorCodeCorruptFile},
		"no-words":    {extract.Markdown, []byte("\n\n   \n"), api.KnowledgeJobErrorCodeNoText},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			job := b.take(t, file.kind, name, file.content)
			require.Equal(t, api.KnowledgeJobStatusFAILED, job.Status)
			require.Equal(t, file.code, job.Error.Code, job.Error.Message)
			require.NotEmpty(t, job.Error.Message)
			require.Equal(t, int32(1), job.Progress.PagesFailed)
			require.Empty(t, b.search(t, "secret"))
		})
	}
}

func TestUploadRejectsMislabelledEmptyAndLargeFiles(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	for _, kind := range []extract.Kind{extract.PDF, extract.HTML, extract.Text, extract.Markdown} {
		b.send(t, kind, "x", word(t)).Problem(t, http.StatusUnsupportedMediaType, api.ErrorCodeUnsupportedMediaType)
		b.send(t, kind, "x", nil).Problem(t, http.StatusBadRequest, api.ErrorCodeMalformedRequest)
	}
	b.send(t, extract.DOCX, "x", pdf(t, false, "x")).Problem(t, http.StatusUnsupportedMediaType, api.ErrorCodeUnsupportedMediaType)
	large := bytes.Repeat([]byte("word "), (10<<20)/5+1)
	b.Do(t, apitest.Request{
		Method: http.MethodPost, Path: "/knowledge/upload", Token: b.token, Body: io.MultiReader(bytes.NewReader(large)), // without Content-Length
		Header: map[string]string{"Content-Type": "text/plain"},
	}).Problem(t, http.StatusRequestEntityTooLarge, api.ErrorCodePayloadTooLarge)
	require.JSONEq(t, "[]", string(b.Get(t, b.token, "/knowledge/jobs").Want(t, http.StatusOK).Body))
	for name, want := range map[string]string{"..%2F..%2Fetc%2Fpasswd": "passwd", `C:%5Cdocs%5Cplan.txt`: "plan.txt", "za%C5%BC%C3%B3%C5%82%C4%87.txt": "zażółć.txt"} {
		job := apitest.Decode[api.KnowledgeJob](t, b.send(t, extract.Text, name, []byte("text "+name)).Want(t, http.StatusAccepted))
		require.Equal(t, want, *job.FileName)
	}
	for _, name := range []string{"%zz", "..", "%00x", "a%0Ab"} {
		b.send(t, extract.Text, name, []byte("x")).Problem(t, http.StatusBadRequest, api.ErrorCodeValidationFailed)
	}
}

func TestTheSameBytesAreOneSource(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	first := b.completed(t, extract.Text, "a.txt", []byte(returnsText))
	second := apitest.Decode[api.KnowledgeJob](t, b.send(t, extract.Text, "b.txt", []byte(returnsText)).Want(t, http.StatusAccepted))
	require.NotEqual(t, first.ID, second.ID, "each upload is a job")
	require.Equal(t, api.KnowledgeJobStatusPENDING, second.Status)
	require.Equal(t, "b.txt", *second.FileName)
	require.Equal(t, first.SourceID, second.SourceID)
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, b.wait(t, second).Status)
	require.Len(t, b.search(t, "returns"), 1)
	sources := apitest.Decode[[]api.KnowledgeSource](t, b.Get(t, b.token, "/knowledge/sources").Want(t, http.StatusOK))
	require.Len(t, sources, 1)
	require.Equal(t, "b.txt", *sources[0].FileName)
	require.Len(t, b.files(t), 1)
	other := b.Token(t, b.Workspace(t, "other"))
	b.token = other
	require.NotEqual(t, *first.SourceID, *b.completed(t, extract.Text, "c.txt", []byte(returnsText)).SourceID, "in another workspace they are another")
}

func TestDeletingASourceDeletesItsFileAndPassages(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	job := b.completed(t, extract.Text, "a.txt", []byte(returnsText))
	sources := apitest.Decode[[]api.KnowledgeSource](t, b.Get(t, b.token, "/knowledge/sources").Want(t, http.StatusOK))
	require.Len(t, sources, 1)
	require.Equal(t, int32(1), sources[0].ChunkCount)
	path := "/knowledge/sources/" + job.SourceID.String()
	refreshed := b.wait(t, apitest.Decode[api.KnowledgeJob](t, b.Post(t, b.token, path+"/refresh", nil).Want(t, http.StatusAccepted)))
	require.Equal(t, api.KnowledgeJobStatusCOMPLETED, refreshed.Status)
	require.Len(t, b.search(t, "returns"), 1)
	require.Len(t, b.files(t), 1)
	b.Delete(t, b.token, path).Want(t, http.StatusNoContent)
	require.Empty(t, b.search(t, "returns"))
	require.Eventually(t, func() bool { return len(b.files(t)) == 0 }, time.Minute, 20*time.Millisecond, "a worker deletes its file")
	b.Delete(t, b.token, path).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	b.Post(t, b.token, path+"/refresh", nil).Problem(t, http.StatusNotFound, api.ErrorCodeNotFound)
	ended := apitest.Decode[api.KnowledgeJob](t, b.Get(t, b.token, "/knowledge/jobs/"+job.ID.String()).Want(t, http.StatusOK))
	require.Nil(t, ended.SourceID)
}

// files returns the paths of the stored files.
func (b *bed) files(t *testing.T) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(b.Storage, "*", "*"))
	require.NoError(t, err)
	return found
}

func TestFinishedJobsSendEvents(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	receiver := apitest.NewReceiver(t, nil)
	b.Post(t, b.token, "/integrations/webhook", map[string]any{
		"type": "WEBHOOK", "url": receiver.URL, "events": []string{"knowledge.job.completed", "knowledge.job.failed"},
	}).Want(t, http.StatusCreated)
	done := b.completed(t, extract.Text, "a.txt", []byte(returnsText))
	failed := b.take(t, extract.PDF, "b.pdf", pdf(t, true, "secret"))
	told := map[string]string{}
	for _, one := range receiver.WaitFor(t, 2) {
		var data struct {
			Job api.KnowledgeJob `json:"job"`
		}
		require.NoError(t, json.Unmarshal(one.Data, &data))
		told[data.Job.ID.String()] = one.Type
	}
	require.Equal(t, map[string]string{done.ID.String(): "knowledge.job.completed", failed.ID.String(): "knowledge.job.failed"}, told)
}

func TestAJobIsCancelledOnceAndDropsItsSource(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{}) // no workers
	b := &bed{Server: s, token: s.Token(t, s.Workspace(t, "acme"))}
	job := apitest.Decode[api.KnowledgeJob](t, b.send(t, extract.Text, "a.txt", []byte(returnsText)).Want(t, http.StatusAccepted))
	require.Equal(t, api.KnowledgeJobStatusPENDING, job.Status)
	path := "/knowledge/jobs/" + job.ID.String() + "/cancel"
	cancelled := apitest.Decode[api.KnowledgeJob](t, b.Post(t, b.token, path, nil).Want(t, http.StatusOK))
	require.Equal(t, api.KnowledgeJobStatusCANCELLED, cancelled.Status)
	require.NotNil(t, cancelled.FinishedAt)
	b.Post(t, b.token, path, nil).Problem(t, http.StatusConflict, api.ErrorCodeJobFinished)
	require.JSONEq(t, "[]", string(b.Get(t, b.token, "/knowledge/sources").Want(t, http.StatusOK).Body))
}

func TestAnUploadIsDoneOnceByItsKey(t *testing.T) {
	t.Parallel()
	s := apitest.New(t, apitest.Options{})
	b := &bed{Server: s, token: s.Token(t, s.Workspace(t, "acme"))}
	send := func(content string) apitest.Response {
		return b.Do(t, apitest.Request{
			Method: http.MethodPost, Path: "/knowledge/upload", Token: b.token, Body: content,
			Header: map[string]string{"Content-Type": "text/plain", "Idempotency-Key": "k"},
		})
	}
	first := send("one").Want(t, http.StatusAccepted)
	require.Equal(t, "true", send("one").Want(t, http.StatusAccepted).Header.Get("Idempotent-Replayed"))
	require.Equal(t, first.Header.Get("Location"), send("one").Header.Get("Location"))
	send("two").Problem(t, http.StatusUnprocessableEntity, api.ErrorCodeIdempotencyKeyReused)
}

func TestAcceptedTypesAreThoseOfTheDocument(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	accepted := apitest.Decode[[]api.KnowledgeAcceptedType](t, b.Get(t, b.token, "/knowledge/accepted-types").Want(t, http.StatusOK))
	var names []string
	for _, one := range accepted {
		require.Equal(t, int64(10<<20), one.MaxBytes)
		names = append(names, one.ContentType)
	}
	for _, o := range b.Document.Operations {
		if o.ID == "uploadKnowledge" {
			for name := range o.Body.Content {
				require.Contains(t, names, name)
			}
			require.Len(t, names, len(o.Body.Content))
		}
	}
}

// TestSearchFindsWhatWasMeant asks questions of a small set in two languages.
func TestSearchFindsWhatWasMeant(t *testing.T) {
	t.Parallel()
	b := newBed(t)
	documents := map[string]string{
		"returns-en":  "Customers can return shoes within thirty days if they are clean. Refunds arrive within a week on the same card.",
		"shipping-en": "Orders are shipped from our warehouse in Poznań every morning. Delivery to Germany takes three working days.",
		"sizes-en":    "Measure your foot from heel to toe. A foot of twenty-six centimetres needs size forty-one.",
		"care-en":     "Leather boots should be brushed and waxed after rain. Never dry them on a radiator.",
		"returns-pl":  "Klienci mogą zwrócić buty w ciągu trzydziestu dni, jeżeli są czyste. Pieniądze wracają na kartę w ciągu tygodnia.",
		"shipping-pl": "Zamówienia wysyłamy z magazynu w Poznaniu każdego ranka. Dostawa do Niemiec trwa trzy dni robocze.",
		"sizes-pl":    "Zmierz stopę od pięty do palców. Stopa o długości dwudziestu sześciu centymetrów wymaga rozmiaru czterdzieści jeden.",
		"care-pl":     "Skórzane kozaki należy szczotkować i woskować po deszczu. Nie wolno ich suszyć na kaloryferze.",
	}
	names := map[string]string{}
	for name, text := range documents {
		names[b.completed(t, extract.Text, name, []byte(text)).SourceID.String()] = name
	}
	expected := map[string]string{
		"How do I return my shoe?": "returns-en", "when does the refund arrive": "returns-en", "shipping an order to Germany": "shipping-en",
		"which size for my feet": "sizes-en", "measuring feet": "sizes-en", "drying a leather boot": "care-en", "brush boots": "care-en",
		"zwrot butów": "returns-pl", "kiedy wrócą pieniądze": "returns-pl", "wysyłka zamówienia do Niemiec": "shipping-pl", "magazyny": "shipping-pl",
		"jaki rozmiar stopy": "sizes-pl", "mierzenie stóp": "sizes-pl", "suszenie kozaków": "care-pl", "woskowanie skórzanych butów": "care-pl",
	}
	found := 0
	for query, want := range expected {
		var first []string
		hits := b.search(t, query)
		for _, hit := range hits[:min(5, len(hits))] {
			first = append(first, names[hit.SourceID.String()])
		}
		if slices.Contains(first, want) {
			found++
		}
		if len(first) == 0 || first[0] != want {
			t.Logf("%q: wanted %s, got %v", query, want, first)
		}
	}
	recall := float64(found) / float64(len(expected))
	apitest.Tallyf(t, "search: recall@5 = %.2f (%d of %d)", recall, found, len(expected))
	require.GreaterOrEqual(t, recall, 0.9)
	require.Empty(t, b.search(t, "the and of"), "words that say nothing find nothing")
	for _, odd := range []string{"'", "a & b | !c", `\`, "::tsvector", "<->", "🦊", strings.Repeat("x ", 400)} {
		b.search(t, odd)
	}
	other := b.Token(t, b.Workspace(t, "other"))
	answer := b.Post(t, other, "/knowledge/search", `{"query":"return shoes"}`).Want(t, http.StatusOK)
	require.JSONEq(t, "[]", string(answer.Body))
	b.Post(t, b.token, "/knowledge/search", fmt.Sprintf(`{"query":"return","sourceIds":[%q]}`, "019684aa-5e00-7c3a-9f21-6a0b5f1d2e01")).Want(t, http.StatusOK)
}
