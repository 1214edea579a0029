package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"

	networking "k8s.io/api/networking/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"
)

// What a CNI plug-in is given, as far as it is read here.
type cniConfig struct {
	Version    string          `json:"cniVersion"`
	Kubeconfig string          `json:"kubeconfig"`
	Previous   json.RawMessage `json:"prevResult"`
}

// A CNI plug-in that comes after the one which makes a pod's network. It holds the pod, before anything runs in it, to the
// NetworkPolicies that its namespace has at that time, by iptables of the node. It knows what Skein's policies are made of: labels, TCP
// ports and blocks of addresses. A pod under a policy that says more is not started: what is not enforced must not look as if it were.
func policy() error {
	input, err := io.ReadAll(os.Stdin)
	if err != nil {
		return err
	}
	var config cniConfig
	if err := json.Unmarshal(input, &config); err != nil {
		return err
	}
	id := os.Getenv("CNI_CONTAINERID")
	if len(id) > 20 {
		id = id[:20]
	}
	out, in := "out-"+id, "in-"+id
	switch os.Getenv("CNI_COMMAND") {
	case "VERSION":
		fmt.Printf(`{"cniVersion":%q,"supportedVersions":["1.0.0"]}`, config.Version)
		return nil
	case "ADD":
		rules, err := rulesOf(config, out, in)
		if err != nil {
			return err
		}
		if err := restore(rules); err != nil {
			return err
		}
		_, err = os.Stdout.Write(config.Previous)
		return err
	case "DEL":
		return forget(out, in)
	default:
		return nil
	}
}

func rulesOf(config cniConfig, out, in string) ([]string, error) {
	address, err := addressOf(config.Previous)
	if err != nil {
		return nil, err
	}
	args := map[string]string{}
	for _, pair := range strings.Split(os.Getenv("CNI_ARGS"), ";") {
		name, value, _ := strings.Cut(pair, "=")
		args[name] = value
	}
	namespace, name := args["K8S_POD_NAMESPACE"], args["K8S_POD_NAME"]
	settings, err := clientcmd.BuildConfigFromFlags("", config.Kubeconfig)
	if err != nil {
		return nil, err
	}
	client, err := kubernetes.NewForConfig(settings)
	if err != nil {
		return nil, err
	}
	within, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	pod, err := client.CoreV1().Pods(namespace).Get(within, name, meta.GetOptions{})
	if err != nil {
		return nil, err
	}
	policies, err := client.NetworkingV1().NetworkPolicies(namespace).List(within, meta.ListOptions{})
	if err != nil {
		return nil, err
	}
	ways := map[networking.PolicyType][]string{}
	for _, each := range policies.Items {
		selector, err := meta.LabelSelectorAsSelector(&each.Spec.PodSelector)
		if err != nil {
			return nil, err
		}
		if !selector.Matches(labels.Set(pod.Labels)) {
			continue
		}
		for _, kind := range each.Spec.PolicyTypes {
			open, err := opened(each.Spec, kind)
			if err != nil {
				return nil, fmt.Errorf("policy %s: %w", each.Name, err)
			}
			ways[kind] = append(ways[kind], open...)
			if ways[kind] == nil {
				ways[kind] = []string{}
			}
		}
	}
	var rules []string
	chain := func(name string, open []string, hooks ...string) {
		if open == nil {
			return
		}
		rules = append(rules, ":"+name+" - [0:0]", "-A "+name+" -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT")
		for _, way := range open {
			rules = append(rules, "-A "+name+way+" -j ACCEPT")
		}
		rules = append(rules, "-A "+name+" -j REJECT")
		for _, hook := range hooks {
			rules = append(rules, hook+" -j "+name)
		}
	}
	// The node itself is behind INPUT: its API server and its kubelet. What comes from it is let in, as everywhere.
	chain(out, ways[networking.PolicyTypeEgress], "-I FORWARD -s "+address, "-I INPUT -s "+address)
	chain(in, ways[networking.PolicyTypeIngress], "-I FORWARD -d "+address)
	return rules, nil
}

// What a policy lets through in one direction, as the matching part of a rule each.
func opened(spec networking.NetworkPolicySpec, kind networking.PolicyType) ([]string, error) {
	var open []string
	add := func(flag string, peers []networking.NetworkPolicyPeer, ports []networking.NetworkPolicyPort) error {
		blocks, services := []string{""}, []string{""}
		if len(peers) > 0 {
			blocks = nil
		}
		for _, peer := range peers {
			if peer.IPBlock == nil || len(peer.IPBlock.Except) > 0 || peer.PodSelector != nil || peer.NamespaceSelector != nil {
				return errors.New("only plain blocks of addresses are enforced here")
			}
			blocks = append(blocks, " "+flag+" "+peer.IPBlock.CIDR)
		}
		if len(ports) > 0 {
			services = nil
		}
		for _, port := range ports {
			if port.Protocol == nil || *port.Protocol != "TCP" || port.Port == nil || port.Port.IntVal == 0 || port.EndPort != nil {
				return errors.New("only single TCP ports are enforced here")
			}
			services = append(services, fmt.Sprintf(" -p tcp --dport %d", port.Port.IntVal))
		}
		for _, block := range blocks {
			for _, service := range services {
				open = append(open, block+service)
			}
		}
		return nil
	}
	if kind == networking.PolicyTypeEgress {
		for _, rule := range spec.Egress {
			if err := add("-d", rule.To, rule.Ports); err != nil {
				return nil, err
			}
		}
		return open, nil
	}
	for _, rule := range spec.Ingress {
		if err := add("-s", rule.From, rule.Ports); err != nil {
			return nil, err
		}
	}
	return open, nil
}

func addressOf(previous json.RawMessage) (string, error) {
	var result struct {
		Addresses []struct {
			Address string `json:"address"`
		} `json:"ips"`
	}
	if err := json.Unmarshal(previous, &result); err != nil {
		return "", err
	}
	if len(result.Addresses) != 1 {
		return "", fmt.Errorf("a pod with one address is expected: %s", previous)
	}
	address, _, err := net.ParseCIDR(result.Addresses[0].Address)
	if err != nil {
		return "", err
	}
	return address.String(), nil
}

func restore(rules []string) error {
	if len(rules) == 0 {
		return nil
	}
	command := exec.Command("iptables-restore", "--noflush", "--wait")
	command.Stdin = strings.NewReader("*filter\n" + strings.Join(rules, "\n") + "\nCOMMIT\n")
	if said, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("iptables-restore: %w: %s", err, said)
	}
	return nil
}

// Takes the chains of a pod away; those that are not there are well gone.
func forget(chains ...string) error {
	all, err := exec.Command("iptables-save", "-t", "filter").Output()
	if err != nil {
		return fmt.Errorf("iptables-save: %w", err)
	}
	var hooks, ends []string
	for _, line := range strings.Split(string(all), "\n") {
		for _, chain := range chains {
			if strings.HasSuffix(line, " -j "+chain) {
				hooks = append(hooks, "-D"+strings.TrimPrefix(line, "-A"))
			}
			if strings.HasPrefix(line, ":"+chain+" ") {
				ends = append(ends, "-F "+chain, "-X "+chain)
			}
		}
	}
	return restore(append(hooks, ends...))
}
