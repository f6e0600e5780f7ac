package webhook

import (
	"path"
	"strings"
)

// panicPlace finds the line that panicked in a stack trace: the first one below
// panic itself. The value of the panic may hold payload, the place does not.
func panicPlace(stack []byte) string {
	lines := strings.Split(string(stack), "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "panic(") {
			continue
		}
		for _, below := range lines[i+2:] {
			file, found := strings.CutPrefix(below, "\t")
			if found && !strings.Contains(file, "/runtime/") {
				file, _, _ = strings.Cut(file, " ")
				return path.Join(path.Base(path.Dir(file)), path.Base(file))
			}
		}
	}
	return "an unknown place"
}
