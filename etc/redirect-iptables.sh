#!/bin/sh
# Leads this network namespace's outgoing traffic into eve-proxy; what cannot be led there is rejected.
#
#   redirect-iptables.sh [apply|undo]        as root, or with CAP_NET_ADMIN (the init container of a pod)
#
# apply may be repeated: it replaces what an earlier run left. undo removes every trace. The same rules for nftables:
# redirect.nft. docs/transparent.md says what they stop and what they do not.
#
#   EVE_REDIRECT_UID      1337    whose traffic leaves as it is: the user that eve-proxy, and nothing else, runs as
#   EVE_REDIRECT_PORT     15001   EVE_PROXY_TRANSPARENT_PORT
#   EVE_REDIRECT_TCP      80,443  ports that are redirected
#   EVE_REDIRECT_PRIVATE  allow   private destinations: allow, or redirect as any other
#   EVE_REDIRECT_OTHER    reject  other TCP ports of public destinations: reject, or allow
#   EVE_REDIRECT_DNS      any     resolvers that may be asked (port 53): any, or addresses and networks with commas
set -eu
uid=${EVE_REDIRECT_UID:-1337}
port=${EVE_REDIRECT_PORT:-15001}
tcp=${EVE_REDIRECT_TCP:-80,443}
private=${EVE_REDIRECT_PRIVATE:-allow}
other=${EVE_REDIRECT_OTHER:-reject}
dns=${EVE_REDIRECT_DNS:-any}
action=${1:-apply}

fail() {
    echo "redirect-iptables.sh: $1" >&2
    exit 2
}
case $uid in '' | *[!0-9]*) fail "EVE_REDIRECT_UID=$uid: write a number" ;; esac
case $port in '' | *[!0-9]*) fail "EVE_REDIRECT_PORT=$port: write a number" ;; esac
case $tcp in '' | *[!0-9,]*) fail "EVE_REDIRECT_TCP=$tcp: write ports with commas between them" ;; esac
case $private in allow | redirect) ;; *) fail "EVE_REDIRECT_PRIVATE=$private: write allow or redirect" ;; esac
case $other in reject | allow) ;; *) fail "EVE_REDIRECT_OTHER=$other: write reject or allow" ;; esac
case $dns in any) dns=0.0.0.0/0,::/0 ;; *[!0-9a-fA-F.:/,]*) fail "EVE_REDIRECT_DNS=$dns: write any, or addresses with commas between them" ;; esac
case $action in apply | undo) ;; *) fail "$action: write apply or undo" ;; esac
[ "$uid" -ne 0 ] || fail "EVE_REDIRECT_UID=0: everything that runs as root would go around the proxy"

undo() {
    while "$1" -w 5 -t nat -D OUTPUT -p tcp -j EVE_REDIRECT 2>/dev/null; do :; done
    while "$1" -w 5 -t filter -D OUTPUT -j EVE_GUARD 2>/dev/null; do :; done
    "$1" -w 5 -t nat -F EVE_REDIRECT 2>/dev/null || :
    "$1" -w 5 -t nat -X EVE_REDIRECT 2>/dev/null || :
    "$1" -w 5 -t filter -F EVE_GUARD 2>/dev/null || :
    "$1" -w 5 -t filter -X EVE_GUARD 2>/dev/null || :
}

# apply COMMAND RESOLVERS LOOPBACK PRIVATE...
# Each table in one step, and what was there stays until then: repeating it never leaves a moment without rules.
apply() {
    command=$1
    resolvers=$2
    loopback=$3
    shift 3
    [ "$private" = allow ] || set --
    untouched() {
        chain=$1
        shift
        echo "-A $chain -m owner --uid-owner $uid -j RETURN"
        echo "-A $chain -d $loopback -j RETURN"
        if [ "$chain" = EVE_GUARD ]; then
            # Answers to whoever connected to this machine: a service of the application, an administrator's ssh.
            echo "-A EVE_GUARD -m conntrack --ctdir REPLY -j RETURN"
            dns
        fi
        for network in "$@"; do echo "-A $chain -d $network -j RETURN"; done
    }
    dns() {
        for resolver in $resolvers; do
            echo "-A EVE_GUARD -d $resolver -p udp --dport 53 -j RETURN"
            echo "-A EVE_GUARD -d $resolver -p tcp --dport 53 -j RETURN"
        done
        echo "-A EVE_GUARD -p udp --dport 53 -j REJECT"
        echo "-A EVE_GUARD -p tcp --dport 53 -j REJECT --reject-with tcp-reset"
    }
    {
        echo "*filter"
        echo ":EVE_GUARD -"
        untouched EVE_GUARD "$@"
        # QUIC: rejected, not dropped, so that clients turn to TCP at once.
        echo "-A EVE_GUARD -p udp --dport 443 -j REJECT"
        [ "$other" = allow ] || echo "-A EVE_GUARD -p tcp -j REJECT --reject-with tcp-reset"
        echo "COMMIT"
        echo "*nat"
        echo ":EVE_REDIRECT -"
        untouched EVE_REDIRECT "$@"
        echo "-A EVE_REDIRECT -p tcp -m multiport --dports $tcp -j REDIRECT --to-ports $port"
        echo "COMMIT"
    } | "$command-restore" -w 5 --noflush
    jump filter -j EVE_GUARD
    jump nat -p tcp -j EVE_REDIRECT
}

# jump TABLE RULE... : first in OUTPUT, once.
jump() {
    table=$1
    shift
    "$command" -w 5 -t "$table" -C OUTPUT "$@" 2>/dev/null || "$command" -w 5 -t "$table" -I OUTPUT 1 "$@"
}

# of_family 4|6 ADDRESSES: those of it, one a word.
of_family() {
    for address in $(echo "$2" | tr , ' '); do
        case $address in
            *:*) [ "$1" = 4 ] || echo "$address" ;;
            *) [ "$1" = 6 ] || echo "$address" ;;
        esac
    done
}

if [ "$action" = apply ]; then
    # If one step fails, the rules that are there stay: closed rather than open.
    apply iptables "$(of_family 4 "$dns")" 127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16
    apply ip6tables "$(of_family 6 "$dns")" ::1/128 fc00::/7
else
    undo iptables
    undo ip6tables
fi
