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
set -eu
uid=${EVE_REDIRECT_UID:-1337}
port=${EVE_REDIRECT_PORT:-15001}
tcp=${EVE_REDIRECT_TCP:-80,443}
private=${EVE_REDIRECT_PRIVATE:-allow}
other=${EVE_REDIRECT_OTHER:-reject}
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

# apply COMMAND LOOPBACK PRIVATE... : both chains are complete before anything jumps to them.
apply() {
    command=$1
    loopback=$2
    shift 2
    "$command" -w 5 -t nat -N EVE_REDIRECT
    "$command" -w 5 -t filter -N EVE_GUARD
    for chain in "nat -A EVE_REDIRECT" "filter -A EVE_GUARD"; do
        # shellcheck disable=SC2086  # three words
        "$command" -w 5 -t $chain -m owner --uid-owner "$uid" -j RETURN
        # shellcheck disable=SC2086
        "$command" -w 5 -t $chain -d "$loopback" -j RETURN
        [ "$private" = allow ] || continue
        for network in "$@"; do
            # shellcheck disable=SC2086
            "$command" -w 5 -t $chain -d "$network" -j RETURN
        done
    done
    "$command" -w 5 -t nat -A EVE_REDIRECT -p tcp -m multiport --dports "$tcp" -j REDIRECT --to-ports "$port"
    # Answers of a server to whoever called it, wherever that is.
    "$command" -w 5 -t filter -A EVE_GUARD -m conntrack --ctstate ESTABLISHED --ctdir REPLY -j RETURN
    # QUIC: rejected, not dropped, so that clients turn to TCP at once.
    "$command" -w 5 -t filter -A EVE_GUARD -p udp --dport 443 -j REJECT
    "$command" -w 5 -t filter -A EVE_GUARD -p tcp --dport 53 -j RETURN
    if [ "$other" = reject ]; then
        "$command" -w 5 -t filter -A EVE_GUARD -p tcp -j REJECT --reject-with tcp-reset
    fi
    "$command" -w 5 -t filter -I OUTPUT 1 -j EVE_GUARD
    "$command" -w 5 -t nat -I OUTPUT 1 -p tcp -j EVE_REDIRECT
}

undo iptables
undo ip6tables
if [ "$action" = apply ]; then
    # If one step fails, the rules that are there stay: closed rather than open.
    apply iptables 127.0.0.0/8 10.0.0.0/8 172.16.0.0/12 192.168.0.0/16
    apply ip6tables ::1/128 fc00::/7
fi
