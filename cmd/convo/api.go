package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// apiAccess holds the flags of commands that call the API of a running server.
type apiAccess struct {
	Server  string `default:"http://127.0.0.1:8080" env:"CONVO_URL" help:"URL of the server."`
	Token   string `env:"CONVO_TOKEN" help:"API token. If empty, the token of a running convo dev is used."`
	DataDir string `default:".convo" env:"CONVO_DATA_DIR" help:"Directory in which convo dev stores its data." type:"path"`
}

func (a apiAccess) token() (string, error) {
	if a.Token != "" {
		return a.Token, nil
	}
	kept, err := os.ReadFile(filepath.Join(a.DataDir, demoTokenFile))
	if errors.Is(err, os.ErrNotExist) {
		return "", fmt.Errorf("CONVO_TOKEN is not set, and no convo dev is running with data in %s", a.DataDir)
	} else if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	return strings.TrimSpace(string(kept)), nil
}
