package app

import (
	"log/slog"
	"net/http"
	"strings"

	"github.com/avelto/convo/internal/api/console"
	"github.com/avelto/convo/internal/api/docs"
	"github.com/avelto/convo/internal/api/web"
)

// withPages puts the pages that people open beside the API.
func withPages(api, behindSignIn http.Handler, config Config, log *slog.Logger) http.Handler {
	options := web.Options{Log: log, Timeout: config.RequestTimeout, HTTPS: strings.HasPrefix(config.PublicURL, "https://"), Fault: func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "Something went wrong on our side. Request "+web.RequestID(r.Context())+".", http.StatusInternalServerError)
	}}
	site := web.Pages(options, docs.NewSite(config.PublicURL))
	app := web.Pages(options, behindSignIn)
	assets := web.Pages(options, http.HandlerFunc(web.Assets))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case path == "/":
			http.Redirect(w, r, docs.Path, http.StatusSeeOther)
		case below(path, docs.Path):
			site.ServeHTTP(w, r)
		case below(path, console.Path):
			app.ServeHTTP(w, r)
		case strings.HasPrefix(path, web.AssetsPath):
			assets.ServeHTTP(w, r)
		default:
			api.ServeHTTP(w, r)
		}
	})
}

// below reports whether a path is a place or something in it.
func below(path, place string) bool { return path == place || strings.HasPrefix(path, place+"/") }
