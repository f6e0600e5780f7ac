package main

import "runtime/debug"

// release is the version of this source; the build adds its commit.
const release = "0.1.0"

// commit is set by scripts/release, whose programs do not tell where they were built.
var commit string

// version is the release with the commit it was built from, if that is known.
func version() string {
	if commit != "" {
		return release + "+" + commit
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return release
	}
	revision, dirty := "", ""
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision" && len(s.Value) >= 12:
			revision = "+" + s.Value[:12]
		case s.Key == "vcs.modified" && s.Value == "true":
			dirty = ".dirty"
		}
	}
	if revision == "" {
		return release
	}
	return release + revision + dirty
}
