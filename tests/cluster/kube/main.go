// kube is every Kubernetes component, etcd and kubectl in one static binary.
//
// One link instead of seven keeps the cold build short and the cache small.
// The component is chosen by the name the binary is called by, or else by its
// first argument:
//
//	kube kube-apiserver --help
//	ln -s kube kubectl && ./kubectl version
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.etcd.io/etcd/server/v3/etcdmain"
	"k8s.io/component-base/cli"
	_ "k8s.io/component-base/logs/json/register"
	_ "k8s.io/component-base/metrics/prometheus/clientgo"
	_ "k8s.io/component-base/metrics/prometheus/version"
	kubectl "k8s.io/kubectl/pkg/cmd"
	apiserver "k8s.io/kubernetes/cmd/kube-apiserver/app"
	controllermanager "k8s.io/kubernetes/cmd/kube-controller-manager/app"
	proxy "k8s.io/kubernetes/cmd/kube-proxy/app"
	scheduler "k8s.io/kubernetes/cmd/kube-scheduler/app"
	kubelet "k8s.io/kubernetes/cmd/kubelet/app"
)

func fromCobra(newCommand func() *cobra.Command) func([]string) int {
	return func(args []string) int {
		os.Args = args
		return cli.Run(newCommand())
	}
}

var components = map[string]func(args []string) int{
	"etcd": func(args []string) int {
		etcdmain.Main(args)
		return 0
	},
	"kube-apiserver":          fromCobra(apiserver.NewAPIServerCommand),
	"kube-controller-manager": fromCobra(controllermanager.NewControllerManagerCommand),
	"kube-proxy":              fromCobra(proxy.NewProxyCommand),
	"kube-scheduler":          fromCobra(func() *cobra.Command { return scheduler.NewSchedulerCommand() }),
	"kubectl":                 fromCobra(kubectl.NewDefaultKubectlCommand),
	"kubelet":                 fromCobra(func() *cobra.Command { return kubelet.NewKubeletCommand(context.Background()) }),
}

func main() {
	args := os.Args
	if run, ok := components[filepath.Base(args[0])]; ok {
		os.Exit(run(args))
	}
	if len(args) > 1 {
		if run, ok := components[args[1]]; ok {
			os.Exit(run(args[1:]))
		}
	}
	names := make([]string, 0, len(components))
	for name := range components {
		names = append(names, name)
	}
	slices.Sort(names)
	fmt.Fprintf(os.Stderr, "usage: kube COMPONENT [flags]; COMPONENT is one of %s\n", strings.Join(names, ", "))
	os.Exit(2)
}
