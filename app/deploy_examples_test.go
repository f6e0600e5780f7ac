package app_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	yaml "github.com/pb33f/go-yaml"

	"github.com/quotekit/quotekit/app"
)

// examples are the files of deploy that start the service, and those beside them.
func examples(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, name := range []string{"Dockerfile", "compose.yaml", "env.example", "systemd/quotekit.service", "kubernetes/quotekit.yaml", "litestream/litestream.yml"} {
		text, err := os.ReadFile(filepath.Join("../deploy", name))
		if err != nil {
			t.Fatal(err)
		}
		texts[name] = string(text)
	}
	return texts
}

// TestDeploy_NamesSettingsThatExist: a setting with a mistake in its name would be
// ignored in the environment.
func TestDeploy_NamesSettingsThatExist(t *testing.T) {
	inEmptyFolder(t)
	c, err := app.LoadConfig(env(nil), nil, "")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, v := range c.Values() {
		known[v.Name] = true
	}
	t.Chdir(sourceFolder)
	for name, text := range examples(t) {
		for _, setting := range regexp.MustCompile(`\b(DATABASE_URL|(?:QUOTEKIT|STRIPE|SUPABASE|SMTP)_[A-Z_]+)\b`).FindAllString(text, -1) {
			if !known[setting] {
				t.Errorf("%s names %s, which is no setting", name, setting)
			}
		}
	}
}

// sourceFolder is where the tests begin.
var sourceFolder = func() string {
	folder, err := os.Getwd()
	if err != nil {
		panic(err)
	}
	return folder
}()

// manifest is what is looked at of a document for Kubernetes.
type manifest struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		Replicas     int
		MinAvailable int `yaml:"minAvailable"`
		Template     struct {
			Spec struct {
				AutomountServiceAccountToken *bool `yaml:"automountServiceAccountToken"`
				SecurityContext              struct {
					RunAsNonRoot bool `yaml:"runAsNonRoot"`
				} `yaml:"securityContext"`
				Containers []struct {
					Args          []string
					EnvFrom       []map[string]map[string]string `yaml:"envFrom"`
					LivenessProbe struct {
						HTTPGet probe `yaml:"httpGet"`
					} `yaml:"livenessProbe"`
					ReadinessProbe struct {
						HTTPGet probe `yaml:"httpGet"`
					} `yaml:"readinessProbe"`
					SecurityContext struct {
						AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
						ReadOnlyRootFilesystem   bool  `yaml:"readOnlyRootFilesystem"`
						Capabilities             struct{ Drop []string }
					} `yaml:"securityContext"`
				}
			}
		}
	}
}

type probe struct{ Path string }

// TestDeploy_KubernetesGivesNothingAway: two of each, probed, disturbed one at a time,
// as nobody in particular, with secrets by reference.
func TestDeploy_KubernetesGivesNothingAway(t *testing.T) {
	d := yaml.NewDecoder(strings.NewReader(examples(t)["kubernetes/quotekit.yaml"]))
	seen := map[string]int{}
	for {
		var m manifest
		err := d.Decode(&m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		seen[m.Kind]++
		if m.Kind != "Deployment" {
			continue
		}
		pod := m.Spec.Template.Spec
		if len(pod.Containers) != 1 {
			t.Fatalf("%s has %d containers", m.Metadata.Name, len(pod.Containers))
		}
		c := pod.Containers[0]
		if m.Spec.Replicas != 2 || c.LivenessProbe.HTTPGet.Path != "/livez" || c.ReadinessProbe.HTTPGet.Path != "/readyz" {
			t.Errorf("%s: got %d replicas, probes %+v and %+v", m.Metadata.Name, m.Spec.Replicas, c.LivenessProbe, c.ReadinessProbe)
		}
		if !pod.SecurityContext.RunAsNonRoot || pod.AutomountServiceAccountToken == nil || *pod.AutomountServiceAccountToken ||
			c.SecurityContext.AllowPrivilegeEscalation == nil || *c.SecurityContext.AllowPrivilegeEscalation ||
			!c.SecurityContext.ReadOnlyRootFilesystem || fmt.Sprint(c.SecurityContext.Capabilities.Drop) != "[ALL]" {
			t.Errorf("%s may do more than it needs: %+v", m.Metadata.Name, pod)
		}
		if len(c.EnvFrom) != 1 || c.EnvFrom[0]["secretRef"]["name"] == "" {
			t.Errorf("%s has its secrets from %v", m.Metadata.Name, c.EnvFrom)
		}
	}
	if fmt.Sprint(seen) != "map[Deployment:2 PodDisruptionBudget:2 Service:1]" {
		t.Errorf("got %v", seen)
	}
}

// TestDeploy_ContainersGiveNothingAway looks at the Dockerfile and the compose file.
func TestDeploy_ContainersGiveNothingAway(t *testing.T) {
	texts := examples(t)
	_, last, _ := strings.Cut(texts["Dockerfile"], "\nFROM scratch\n")
	for _, want := range []string{"USER 65532:65532\n", "ca-certificates.crt", `ENTRYPOINT ["/quotekit"]`} {
		if !strings.Contains(last, want) {
			t.Errorf("the image lacks %q", want)
		}
	}
	var file struct {
		Services map[string]struct {
			Command  []string
			ReadOnly bool     `yaml:"read_only"`
			CapDrop  []string `yaml:"cap_drop"`
			Ports    []string
		}
	}
	if err := yaml.NewDecoder(bytes.NewReader([]byte(texts["compose.yaml"]))).Decode(&file); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"web", "worker"} {
		s := file.Services[name]
		if !s.ReadOnly || fmt.Sprint(s.CapDrop) != "[ALL]" || fmt.Sprint(s.Command) != "[serve --role "+name+"]" {
			t.Errorf("%s: got %+v", name, s)
		}
		for _, p := range s.Ports {
			if !strings.HasPrefix(p, "127.0.0.1:") {
				t.Errorf("%s can be reached from other machines at %s", name, p)
			}
		}
	}
	var replica struct{ DBs []struct{ Path string } }
	if err := yaml.NewDecoder(strings.NewReader(texts["litestream/litestream.yml"])).Decode(&replica); err != nil || len(replica.DBs) != 1 ||
		!strings.Contains(texts["systemd/quotekit.service"], "sqlite:"+replica.DBs[0].Path) {
		t.Errorf("got %+v, %v, want the database of the unit", replica, err)
	}
}

// TestDeploy_UnitIsHardened asks systemd, where there is one.
func TestDeploy_UnitIsHardened(t *testing.T) {
	tool, err := exec.LookPath("systemd-analyze")
	if err != nil {
		note("hardening of deploy/systemd/quotekit.service: not run, because there is no systemd-analyze")
		return
	}
	out, err := exec.Command(tool, "security", "--offline=true", "../deploy/systemd/quotekit.service").CombinedOutput()
	found := regexp.MustCompile(`Overall exposure level for quotekit.service: ([0-9.]+) OK`).FindSubmatch(out)
	if found == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	note("deploy/systemd/quotekit.service: exposure %s of 10", found[1])
}
