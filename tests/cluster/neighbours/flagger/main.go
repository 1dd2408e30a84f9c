// Flagger's controller without its leader election, whose kind of lock newer client libraries have given up: that is all
// that keeps its own program from being built with the libraries that the rest of this module uses.
package main

import (
	"context"
	"flag"
	"log"
	"os/signal"
	"syscall"
	"time"

	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/fluxcd/flagger/pkg/canary"
	clientset "github.com/fluxcd/flagger/pkg/client/clientset/versioned"
	informers "github.com/fluxcd/flagger/pkg/client/informers/externalversions"
	"github.com/fluxcd/flagger/pkg/controller"
	"github.com/fluxcd/flagger/pkg/logger"
	"github.com/fluxcd/flagger/pkg/metrics/observers"
	"github.com/fluxcd/flagger/pkg/notifier"
	"github.com/fluxcd/flagger/pkg/router"
)

func must[T any](value T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return value
}

func main() {
	kubeconfig := flag.String("kubeconfig", "", "")
	namespace := flag.String("namespace", "", "whose canaries it runs")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()

	config := must(clientcmd.BuildConfigFromFlags("", *kubeconfig))
	kube, own := must(kubernetes.NewForConfig(config)), must(clientset.NewForConfig(config))
	log := must(logger.NewLoggerWithEncoding("info", "console"))

	factory := informers.NewSharedInformerFactoryWithOptions(own, 30*time.Second, informers.WithNamespace(*namespace))
	kinds := factory.Flagger().V1beta1()
	infos := controller.Informers{
		CanaryInformer: kinds.Canaries(), MetricInformer: kinds.MetricTemplates(), AlertInformer: kinds.AlertProviders(),
	}
	synced := []cache.InformerSynced{
		infos.CanaryInformer.Informer().HasSynced, infos.MetricInformer.Informer().HasSynced, infos.AlertInformer.Informer().HasSynced,
	}
	factory.Start(ctx.Done())
	cache.WaitForCacheSync(ctx.Done(), synced...)

	labels := []string{"app", "name", "app.kubernetes.io/name"}
	metrics := must(observers.NewFactory("http://127.0.0.1:9090")) // asked of nothing: the tests' canaries have no metrics
	c := controller.NewController(kube, own, infos, time.Second, log, &notifier.NopNotifier{},
		canary.NewFactory(kube, own, &canary.NopTracker{}, labels, []string{""}, log),
		router.NewFactory(config, kube, own, "nginx.ingress.kubernetes.io", "", log, own, true),
		metrics, "kubernetes", "test", "", "", true)
	if err := c.Run(2, ctx.Done()); err != nil {
		log.Fatal(err)
	}
}
