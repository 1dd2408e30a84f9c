// Prints where the fields of runtime.gcControllerState are in programs of a Go tool chain, as one row of
// operator/runtime_memory/layouts.inc for each GO program on the command line, from the debug information that this
// very tool chain writes.
package main

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

// In the order of struct Layout.
var fields = []string{
	"gcPercent", "memoryLimit", "heapMinimum", "gcPercentHeapGoal", "triggered", "lastHeapGoal", "heapLive",
	"lastStackScan", "globalsScan", "heapMarked", "assistTime", "dedicatedMarkTime", "fractionalMarkTime",
	"idleMarkTime", "markStartTime", "heapInUse", "heapReleased", "heapFree", "totalAlloc", "totalFree", "mappedReady",
}

const program = "package main\n\nfunc main() { println() }\n"

var minor = regexp.MustCompile(`^go1\.(\d+)`)

func main() {
	for _, tool := range os.Args[1:] {
		rows := map[string][]string{}
		var order []string
		for _, arch := range []string{"amd64", "arm64"} {
			row, err := layout(tool, arch)
			if err != nil {
				fmt.Fprintf(os.Stderr, "%s for %s: %v\n", tool, arch, err)
				os.Exit(1)
			}
			if len(rows[row]) == 0 {
				order = append(order, row)
			}
			rows[row] = append(rows[row], arch)
		}
		if len(order) != 1 {
			fmt.Fprintf(os.Stderr, "%s: the layout is not the same on %v; the table has to tell them apart\n", tool, rows)
			os.Exit(1)
		}
		fmt.Println(order[0])
	}
}

func layout(tool, arch string) (string, error) {
	dir, err := os.MkdirTemp("", "layout")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	source, binary := filepath.Join(dir, "main.go"), filepath.Join(dir, "main")
	if err := os.WriteFile(source, []byte(program), 0o600); err != nil {
		return "", err
	}
	build := exec.Command(tool, "build", "-o", binary, source)
	build.Dir = dir
	build.Env = append(os.Environ(), "GOARCH="+arch, "GOOS=linux", "CGO_ENABLED=0", "GOTOOLCHAIN=local", "GOFLAGS=", "GO111MODULE=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %s", err, out)
	}
	version, err := exec.Command(tool, "env", "GOVERSION").Output()
	if err != nil {
		return "", err
	}
	found := minor.FindStringSubmatch(string(version))
	if found == nil {
		return "", fmt.Errorf("what version is %q?", strings.TrimSpace(string(version)))
	}
	file, err := elf.Open(binary)
	if err != nil {
		return "", err
	}
	defer file.Close()
	data, err := file.DWARF()
	if err != nil {
		return "", err
	}
	controller, err := structNamed(data, "runtime.gcControllerState")
	if err != nil {
		return "", err
	}
	offsets := map[string]int64{}
	for _, field := range controller.Field {
		offsets[field.Name] = field.ByteOffset
	}
	row := []string{found[1]} // not the size: padding at the end differs between CPUs
	for _, name := range fields {
		offset, has := offsets[name]
		if !has {
			return "", fmt.Errorf("runtime.gcControllerState has no field %s", name)
		}
		row = append(row, fmt.Sprintf("0x%02x", offset))
	}
	return "{" + strings.Join(row, ", ") + "},", nil
}

func structNamed(data *dwarf.Data, name string) (*dwarf.StructType, error) {
	for reader := data.Reader(); ; {
		entry, err := reader.Next()
		if err != nil {
			return nil, err
		}
		if entry == nil {
			return nil, fmt.Errorf("no type %s", name)
		}
		if entry.Tag == dwarf.TagStructType && entry.Val(dwarf.AttrName) == name {
			typ, err := data.Type(entry.Offset)
			if err != nil {
				return nil, err
			}
			return typ.(*dwarf.StructType), nil
		}
	}
}
