package app

import "github.com/avelto/convo/internal/platform/fanout"

// addLive adds what tells other processes which conversations have changed.
func (a *App) addLive(parts Parts) {
	transport := fanout.NewPostgreSQL(parts.DB)
	a.channels = append(a.channels, transport.Channel())
	a.live = fanout.NewHub(transport, parts.Log)
	a.loops = append(a.loops, a.live.Run)
}
