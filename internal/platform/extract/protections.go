package extract

import "log/slog"

// Protections are what keeps a reader process from the rest of the machine. The kernel
// may lack some of it; files, network and programs say what the process found when it
// tried.
type Protections struct {
	Landlock         int  `json:"landlock"` // version of its ABI, 0 without
	Seccomp          bool `json:"seccomp"`
	FilesRefused     bool `json:"filesRefused"`
	NetworkRefused   bool `json:"networkRefused"`
	ProgramsRefused  bool `json:"programsRefused"`
	ResourcesBounded bool `json:"resourcesBounded"` // memory and CPU time, by setrlimit(2)
}

// Complete reports whether nothing is missing.
func (p Protections) Complete() bool {
	return p.FilesRefused && p.NetworkRefused && p.ProgramsRefused && p.ResourcesBounded
}

// LogValue implements slog.LogValuer.
func (p Protections) LogValue() slog.Value {
	return slog.GroupValue(slog.Int("landlock", p.Landlock), slog.Bool("seccomp", p.Seccomp), slog.Bool("filesRefused", p.FilesRefused),
		slog.Bool("networkRefused", p.NetworkRefused), slog.Bool("programsRefused", p.ProgramsRefused), slog.Bool("resourcesBounded", p.ResourcesBounded))
}
