//! The projects that the loader and the real program are compared on, each for one rule.

/// A project in a folder of its own.
pub(crate) struct Case {
    /// What is compared.
    pub(crate) rule: &'static str,
    /// Names below the folder, and texts.
    pub(crate) files: &'static [(&'static str, &'static str)],
    /// Besides `PATH` and `HOME`.
    pub(crate) environment: &'static [(&'static str, &'static str)],
    /// Flags of `docker compose`, each with a value.
    pub(crate) arguments: &'static [&'static str],
    /// The working directory, below the folder.
    pub(crate) from: &'static str,
}

/// Every case.
pub(crate) static CASES: &[Case] = &[
    Case {
        rule: "a minimal service",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "build alone",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    build: ./ctx
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "build long with args",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    build: {context: ., dockerfile: D, args: {A: 1, B: }, target: t}
",
        )],
        environment: &[("B", "b")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "name is normalised",
        files: &[(
            "compose.yaml",
            r"name: My.Proj
services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "name with a variable",
        files: &[(
            "compose.yaml",
            r"name: ${N:-x}y
services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "name from -p",
        files: &[(
            "compose.yaml",
            r"name: x
services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &["-p", "other"],
        from: "",
    },
    Case {
        rule: "invalid name from -p",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &["-p", "Other"],
        from: "",
    },
    Case {
        rule: "name from the environment",
        files: &[(
            "compose.yaml",
            r"name: x
services:
  a:
    image: i

",
        )],
        environment: &[("COMPOSE_PROJECT_NAME", "envname")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "name from .env",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i

",
            ),
            (
                ".env",
                r"COMPOSE_PROJECT_NAME=dot
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "name without usable characters",
        files: &[(
            "compose.yaml",
            r"name: ___
services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "project name is a variable",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    command: ["${COMPOSE_PROJECT_NAME}"]
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "plain scalars in environment",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    environment:
      A: 010
      B: 0o10
      C: 0x1F
      D: 0b11
      E: 1_000
      F: 1.10
      G: 3.0
      H: 1e6
      I: 0.000001
      J: 123456789.5
      K: .inf
      L: yes
      M: on
      N: True
      O: 1:30
      P: ~
      Q: null
      R:
      S: "010"
      T: '1.10'
      U: 08
      V: +5
      W: -0x10
      X: 1e21
      Y: 100000.0
      Z: .5
      AA: 18446744073709551615
      AB: <<
      AC: .nan
      AD: 12e03
      AE: y
      AF: 0777
      AG: 1_0.5_0
      AH: 5.
      AI: 123456.0
      AJ: 1234567.0
      AK: -1.5e-7
      AL: ~x
      AM: 0
      AN: -0
      AO: 1__0
      AP: 0_7
      AQ: 0x
      AR: 1e
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "a date in environment is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment:
      A: 2024-01-01
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "an almost date is a string",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment:
      A: 2024-13-01
      B: 2024-02-30
      C: 20240101
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "binary and str tags",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment:
      A: !!binary aGVsbG8=
      B: !!str 010
      C: !!float 3
      D: !!int 7
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "an unknown tag on a scalar",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment:
      A: !foo bar
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "environment as list",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment:
      - A=1
      - B=
      - C
      - D=x=y
      - A=2
",
        )],
        environment: &[("C", "c")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "environment list without a value",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: [C]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "environment map null from environment",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: {C: , D: }
",
        )],
        environment: &[("C", "c")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "environment with a list value is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: {C: [a]}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "environment list of numbers is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: [1]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "environment with a space before the equals sign is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: ['A =1']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "labels as list and map",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    labels: [a=1, b, c=d=e]
  b:
    image: i
    labels: {a: 1, b: true, c: }
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command as string",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    command: vllm serve m --x='{"a": 1}' --y={"b":2}
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command cut",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: a b > /log
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command cut by semicolon",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: 'a; b'
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command with digits before redirect",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: 'a 2> x'
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command with a word before redirect",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: 'a b2> x'
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command with parentheses is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: a (b)
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command with an open quote is refused",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    command: "a 'b"
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command with escapes",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    command: 'a\ b "c\"d" e\nf'
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command with backquotes and dollar",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: 'a `b c` $$(d e) $$X'
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "empty command",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: ''
    entrypoint: []
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "null command",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command:
    entrypoint: ~
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "command with a number is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: [--port, 8000]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "folded command",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: >
      vllm serve m
      --port 8000
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "literal command",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    command: |
      vllm serve m
      --port 8000
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "entrypoint as string",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    entrypoint: /bin/sh -c
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "entrypoint with an empty word",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    entrypoint: 'a "" b'
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "short bind",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes:
      - ./models:/models:ro
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "short binds of every kind",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes:
      - /abs/../x/:/a/
      - ~/m:/b
      - ../up:/c
      - .:/d
      - ./x/../y:/e:rw,z
      - /v:/f:rshared
      - 'C:\x:/g'
      - /k/:/h:banana
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "short volume",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [models:/models, 'cache:/c:nocopy,ro']
volumes:
  models:
  cache: {}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "anonymous volumes",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [/data, 'a', 'ab', 'm:/models']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "undefined volume is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [models:/models]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "unset variable as source is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: ['${MODELS_PATH}:/models']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "unset variable before a path",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: ['${MODELS_PATH}/x:/models']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "variable as a volume name",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: ['${M}:/models']
",
        )],
        environment: &[("M", "models")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "too many colons are refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: ['/a:/b:ro:x']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "long bind",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes:
      - type: bind
        source: ./m
        target: /m/
        read_only: true
        bind: {create_host_path: false}
      - {type: bind, source: ./n, target: /n}
      - {type: bind, source: ~/o, target: /o, bind: {propagation: rslave, selinux: Z}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "long bind without source is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [{type: bind, target: /m}]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "long volume with subpath",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes:
      - {type: volume, source: v, target: /m, volume: {nocopy: true, subpath: a/b}}
      - {type: volume, target: /anon}
      - {type: tmpfs, target: /t, tmpfs: {size: 64m, mode: 01777}}
volumes: {v: }
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "image mount",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [{type: image, source: img, target: /i}]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "same target twice in one file",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [./a:/m, ./b:/m]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "long targets /m and /m/ are refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes:
      - {type: bind, source: ./a, target: /m}
      - {type: bind, source: ./b, target: /m/}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "tmpfs and volume at one target are refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    tmpfs: /m
    volumes: [./a:/m]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "tmpfs forms",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    tmpfs: /t:size=1g
  b:
    image: i
    tmpfs: [/x, /y]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "top-level volumes",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [a:/a, b:/b, c:/c, d:/d, e:/e]
volumes:
  a:
  b: {name: bee}
  c: {external: true}
  d: {external: true, name: dee}
  e: {driver: local, driver_opts: {type: none, o: bind, device: ./e}}
  unused:
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "driver options without local",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [e:/e, f:/f, g:/g]
volumes:
  e: {driver_opts: {type: none, o: bind, device: ./e}}
  f: {driver: local, driver_opts: {type: none, o: 'bind,ro', device: ./f}}
  g: {driver: local, driver_opts: {type: none, o: bind, device: '${UNSET}'}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "external with other keys is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [c:/c]
volumes: {c: {external: true, driver: local}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "old external name",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [c:/c]
volumes: {c: {external: {name: old}}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "depends_on list and map",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    depends_on: [b]
  b:
    image: i
    depends_on:
      c: {condition: service_completed_successfully, restart: true}
  c: {image: i}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "depends_on undefined is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    depends_on: [zz]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "depends_on optional undefined is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    depends_on: {zz: {condition: service_started, required: false}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "dependency circle is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    depends_on: [b]
  b:
    image: i
    depends_on: [a]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "implied edges",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    network_mode: service:b
    ipc: service:c
    links: ['d:alias']
    volumes_from: ['b:ro', 'container:x']
  b: {image: i}
  c: {image: i}
  d: {image: i}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "user, groups, restart, folder",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    user: 1000:1000
    group_add: [video, 44]
    restart: unless-stopped
    working_dir: /w
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "user as number",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    user: 1000
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "ports",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    ports: [8000, '80:8001', '127.0.0.1:81:8002/udp', '9000-9002:9000-9002', '7000-7005:7000', {target: 5000, published: 5001, host_ip: 0.0.0.0}, {target: 6000}, '::1:82:8003']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "ports in base 60 look",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    ports: [22:22, 56:56]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "bad port is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    ports: ['x:80']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "bad port ranges are refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    ports: ['1-3:5-6']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "expose numbers",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    expose: [8000, '9000', 10-12]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "healthcheck",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    healthcheck:
      test: curl -f http://localhost
      interval: 90s
      timeout: 1m30s
      retries: 3
      start_period: 1500s
      start_interval: 1.5s
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "healthcheck list",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    healthcheck: {test: [CMD, a, b], disable: false}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "healthcheck disabled",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    healthcheck: {disable: true}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "healthcheck with a wrong word is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    healthcheck: {test: [curl]}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "healthcheck interval without a unit is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    healthcheck: {test: [CMD, a], interval: '5'}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "gpus all",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    gpus: all
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "gpus list",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    gpus:
      - driver: nvidia
        count: 2
        capabilities: [gpu]
      - device_ids: ['0', '1']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "gpus with count and ids is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    gpus: [{count: 1, device_ids: ['0']}]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "deploy devices",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    deploy:
      replicas: 2
      resources:
        limits: {cpus: '1.5', memory: 16g}
        reservations:
          devices:
            - driver: nvidia
              count: all
              capabilities: [gpu]
            - capabilities: [gpu]
              options: {a: 1}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "deploy without resources",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    deploy: {mode: global, restart_policy: {condition: on-failure, delay: 5s, max_attempts: 3, window: 120s}, update_config: {parallelism: 2, delay: 10s, order: start-first}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "replicas and container_name are refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    container_name: x
    deploy: {replicas: 2}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "scale",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    scale: 3
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "scale with deploy",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    scale: 3
    deploy: {labels: {a: b}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "sizes",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    shm_size: 16gb
    mem_limit: 1.5g
    memswap_limit: 2147483648
    mem_reservation: 512M
    stop_grace_period: 1m30s
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "numbers",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    cpus: 0.5
    pids_limit: 100
    oom_score_adj: -500
    cpu_shares: 512
    cpuset: 0-3
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "cpus as string",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    cpus: '1.25'
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "booleans",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    init: true
    privileged: false
    tty: true
    stdin_open: false
    read_only: true
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "boolean words",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    init: 'yes'
    privileged: 'on'
    read_only: "n"
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "boolean words unquoted",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    init: yes
    read_only: no
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "boolean from a variable",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    read_only: ${RO}
    privileged: ${P:-false}
",
        )],
        environment: &[("RO", "true")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "boolean word that is none is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    init: 'maybe'
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "devices",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    devices: [/dev/nvidia0, '/dev/a:/dev/b', '/dev/c:/dev/d:r', nvidia.com/gpu=all]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "ulimits",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    ulimits:
      memlock: -1
      nofile: {soft: 1024, hard: 2048}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "capabilities and security",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    cap_drop: [ALL]
    cap_add: [CHOWN]
    security_opt: ['no-new-privileges:true']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extra hosts",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    extra_hosts: ['a:1.2.3.4', 'b=::1', 'host.docker.internal:host-gateway']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extra hosts map",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    extra_hosts: {a: 1.2.3.4, b: [1.1.1.1, 2.2.2.2]}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "dns and sysctls",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    dns: 8.8.8.8
    dns_search: [a, b]
    sysctls: {net.core.somaxconn: 1024}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "logging",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    logging: {driver: json-file, options: {max-size: 10m, max-file: 3}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "networks list",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    networks: [n, m]
networks:
  n:
  m: {driver: bridge, internal: true, ipam: {config: [{subnet: 10.0.0.0/8}]}}
  unused:
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "networks map",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    networks:
      n: {aliases: [x], ipv4_address: 10.0.0.2}
      default:
networks: {n: {external: true}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "undefined network is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    networks: [n]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "network_mode and networks are refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    network_mode: host
    networks: [n]
networks: {n: }
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "network_mode host",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    network_mode: host
    ipc: host
    pid: host
    runtime: nvidia
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "secrets and configs",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    secrets: [s, {source: t, target: /x/t, mode: 0400, uid: '1'}]
    configs: [c, {source: d, target: /d}]
secrets:
  s: {file: ./s.txt}
  t: {environment: T}
configs:
  c: {file: ./c.txt}
  d: {content: 'x ${V}'}
  unused: {file: ./u}
",
        )],
        environment: &[("V", "v"), ("T", "t")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "undefined secret is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    secrets: [s]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "secret without anything is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    secrets: [s]
secrets: {s: {}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "config from the environment",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    configs: [c]
configs: {c: {environment: V}}
",
        )],
        environment: &[("V", "v")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "top-level extension",
        files: &[(
            "compose.yaml",
            r"x-preflight:
  lanes: {a: {service: a, path: 010}}
services:
  a:
    image: i
    x-preflight: {lane: a}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "neither image nor build is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    command: x
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "empty file is refused",
        files: &[("compose.yaml", "")],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "file of comments is refused",
        files: &[(
            "compose.yaml",
            r"# nothing
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "top-level list is refused",
        files: &[(
            "compose.yaml",
            r"- a
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "duplicate key is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: x
    image: y
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "duplicate merge key is refused",
        files: &[(
            "compose.yaml",
            r"x: &x {a: b}
services:
  a:
    <<: *x
    <<: *x
    image: y
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "number as a service name is refused",
        files: &[(
            "compose.yaml",
            r"services:
  1:
    image: x
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "number as an environment key is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: {8000: x}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "unknown top-level key is refused by the schema only",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i

x-foo: bar
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "anchor, alias and merge key",
        files: &[(
            "compose.yaml",
            r"x-base: &base
  image: i
  environment: {A: 1, B: 2}
  restart: always
services:
  a:
    <<: *base
    environment: {A: 3}
  b: *base
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "list of merge keys",
        files: &[(
            "compose.yaml",
            r"x-a: &a {image: i, user: a}
x-b: &b {user: b, restart: always}
services:
  a:
    <<: [*a, *b]
  c:
    user: c
    <<: [*b, *a]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "inline merge",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    <<: {image: i}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "merge key of null is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    <<:
    image: i
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "merge key of a string is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    <<: x
    image: i
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "quoted merge key",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    environment: {"<<": {A: b}}
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "nested merges",
        files: &[(
            "compose.yaml",
            r"x-a: &a {image: i}
x-b: &b {<<: *a, user: b}
services:
  a:
    <<: *b
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "merge in environment",
        files: &[(
            "compose.yaml",
            r"x-e: &e {A: 1, B: 2}
services:
  a:
    image: i
    environment:
      <<: *e
      B: 3
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "undefined alias is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: *nope
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "documents are merged",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: {A: 1}
---
services:
  a:
    environment: {B: 2}
  b: {image: j}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "byte order mark and CRLF",
        files: &[(
            "compose.yaml",
            "\u{feff}services:\r\n  a:\r\n    image: i\r\n    environment: {A: 1}\r\n",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "tabs are refused",
        files: &[("compose.yaml", "services:\n\ta:\n")],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "JSON",
        files: &[("compose.yaml", r#"{"services": {"a": {"image": "i", "command": ["x"]}}}"#)],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "block scalars",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    environment:
      A: |
        x
        y
      B: >-
        x
        y
      C: |+
        x

      D: 'it''s'
      E: "a\tb\u00e9"
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "block scalar at the end without a line feed",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment:
      A: |
        abc",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "interpolation forms",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    environment:
      A: $A-${A}
      B: ${U:-d}${E:-d}${E-d}
      C: ${A:+x}${U:+x}${E+y}
      D: $$A $1 $$ ${U:-${A}}
      E: '${U:-{"k":1}}'
      F: ${A:?m}
      G: ${U-}
      H: '${U:-a}${U:-b}}'
      I: ${U:-$$}
      J: ${U:-}}
      K: ${A:-x}y${A:-x}
"#,
        )],
        environment: &[("A", "a"), ("E", "")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "interpolation of dollars in values",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: {A: $A}
",
        )],
        environment: &[("A", "$B${C}")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "required variable is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    user: ${U:?please}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "required variable in an unneeded default is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    user: ${A:-${U:?x}}
",
        )],
        environment: &[("A", "a")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "invalid template is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    user: ${1}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "unclosed template is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    user: ${A
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "dotted template is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    user: ${A.b}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "multi-line default is refused",
        files: &[(
            "compose.yaml",
            r#"services:
  a:
    image: i
    user: "${U:-a\nb}"
"#,
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "keys are not interpolated",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: {'$A': 1}
    labels: {'${A}': x}
",
        )],
        environment: &[("A", "a")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "variables in lower case and unicode",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    environment: {A: '$aéb ${a_1}'}
",
        )],
        environment: &[("a", "x"), ("a_1", "y")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: ".env",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    environment:
      A: ${A}
      B: ${B}
      C: ${C}
      D: ${D}
      E: ${E}
      F: ${F}
      G: ${G}
      H: ${H}
",
            ),
            (
                ".env",
                r#"# c
A=1
export B="two $A"
C='$A'
D=x # c
E=x#c
F: yaml
G=${OS:-no}${A}
H="a\nb\$c"
"#,
            ),
        ],
        environment: &[("OS", "os")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: ".env quirks",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    environment:
      A: ${A}
      B: ${B}
      C: ${C}
      D: ${D-unset}
      E: ${E}
      F: ${F}
",
            ),
            (
                ".env",
                "\u{feff}A = spaced \r\nB=\\$X\nC=\"multi\nline\"\nOS\nD\nE=a=b=c\nF=\"x\" # comment\n",
            ),
        ],
        environment: &[("OS", "os")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: ".env with a space in a name is refused",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i

",
            ),
            (
                ".env", r"A B=1
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: ".env with an open quote is refused",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i

",
            ),
            (
                ".env", r#"A="x
"#,
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "environment beats .env",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    environment: {A: '${A}', B: '${B-unset}'}
",
            ),
            (
                ".env",
                r"A=dot
B=dot
",
            ),
        ],
        environment: &[("A", "os"), ("B", "")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: ".env lies beside the first file",
        files: &[
            (
                "d/compose.yaml",
                r"services:
  a:
    image: i
    environment: {A: '${A}'}
",
            ),
            (
                "d/.env", r"A=d
",
            ),
            (
                ".env", r"A=root
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "d/compose.yaml"],
        from: "",
    },
    Case {
        rule: "--env-file replaces .env",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    environment: {A: '${A}', B: '${B}', C: '${C-no}'}
",
            ),
            (
                ".env",
                r"A=dot
C=c
",
            ),
            (
                "x.env",
                r"A=x
B=x
",
            ),
            (
                "y.env", r"B=y-$A
",
            ),
        ],
        environment: &[],
        arguments: &["--env-file", "x.env", "--env-file", "y.env"],
        from: "",
    },
    Case {
        rule: "--env-file that is missing is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &["--env-file", "nope.env"],
        from: "",
    },
    Case {
        rule: "COMPOSE_ENV_FILES",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    environment: {A: '${A}'}
",
            ),
            (
                "x.env", r"A=x
",
            ),
        ],
        environment: &[("COMPOSE_ENV_FILES", "x.env")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "COMPOSE_DISABLE_ENV_FILE",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    environment: {A: '${A-no}'}
",
            ),
            (
                ".env", r"A=dot
",
            ),
        ],
        environment: &[("COMPOSE_DISABLE_ENV_FILE", "1")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "project directory",
        files: &[
            (
                "d/compose.yaml",
                r"services:
  a:
    image: i
    volumes: [./m:/m]
    environment: {A: '${A-no}'}
",
            ),
            (
                "p/.env", r"A=p
",
            ),
            (
                "d/.env", r"A=d
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "d/compose.yaml", "--project-directory", "p"],
        from: "",
    },
    Case {
        rule: "found in a parent folder",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    volumes: [./m:/m]
    environment: {A: '${A-no}', B: '${B-no}'}
",
            ),
            (
                "sub/.env", r"A=sub
",
            ),
            (
                ".env",
                r"A=root
B=root
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "sub",
    },
    Case {
        rule: "compose.yaml before docker-compose.yml",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    user: a
",
            ),
            (
                "docker-compose.yml",
                r"services:
  a:
    image: i
    user: b
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "docker-compose.yml",
        files: &[(
            "docker-compose.yml",
            r"services:
  a:
    image: i
    user: b
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "no file is refused",
        files: &[(
            "x.yaml",
            r"services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "override file",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    command: a
    environment: {A: 1, B: 2}
    volumes: [./a:/m, ./b:/n]
    ports: [80:80]
    labels: [x=1]
",
            ),
            (
                "compose.override.yaml",
                r"services:
  a:
    command: b
    environment: [A=3, C=4]
    volumes: [./c:/m:ro]
    ports: [81:81, 80:80]
    labels: {x: 2}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "other override name",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    user: a
",
            ),
            (
                "docker-compose.override.yml",
                r"services: {a: {user: b}}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "no override with -f",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    user: a
",
            ),
            (
                "compose.override.yaml",
                r"services: {a: {user: b}}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml"],
        from: "",
    },
    Case {
        rule: "several -f",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    user: a
    volumes: [./a:/a]
",
            ),
            (
                "d/b.yaml",
                r"services:
  a:
    user: b
    volumes: [./b:/b]
  b: {image: j}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "d/b.yaml"],
        from: "",
    },
    Case {
        rule: "COMPOSE_FILE",
        files: &[
            (
                "x.yaml",
                r"services:
  a:
    image: i
    user: a
",
            ),
            (
                "y.yaml",
                r"services: {a: {user: b}}
",
            ),
        ],
        environment: &[("COMPOSE_FILE", "x.yaml:y.yaml")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "COMPOSE_FILE in .env with a separator",
        files: &[
            (
                "x.yaml",
                r"services:
  a:
    image: i
    user: a
",
            ),
            (
                "y.yaml",
                r"services: {a: {user: b}}
",
            ),
            (
                ".env",
                r"COMPOSE_FILE=x.yaml,y.yaml
COMPOSE_PATH_SEPARATOR=,
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "null command resets",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    command: a
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    command:
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "null entrypoint resets",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    entrypoint: a
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    entrypoint:
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "empty command replaces",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    command: a
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    command: []
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "null keeps others",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    user: a
    working_dir: /w
    healthcheck: {test: [CMD, a], interval: 5s}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    user:
    healthcheck: {interval: 10s}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "healthcheck test is replaced",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    healthcheck: {test: [CMD, a], interval: 5s}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    healthcheck: {test: b}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "lists append",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    cap_add: [A, B]
    security_opt: [x]
    group_add: [a]
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    cap_add: [B, C]
    security_opt: [x]
    group_add: [a]
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "gpus append",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    gpus: [{count: 1}]
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    gpus: [{count: 2}]
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "gpus all append",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    gpus: all
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    gpus: all
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "reserved devices append",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    deploy: {resources: {reservations: {devices: [{count: 1, capabilities: [gpu]}]}}}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    deploy: {resources: {reservations: {devices: [{count: 2, capabilities: [gpu]}]}}}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "depends_on forms merge",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    depends_on: [b]
  b: {image: i}
  c: {image: i}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    depends_on: {b: {condition: service_healthy}, c: {condition: service_started}}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "networks forms merge",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    networks: [n]
networks: {n: , m: }
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    networks: {n: {aliases: [x]}, m: }
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "logging of another driver replaces",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    logging: {driver: json-file, options: {max-size: 1m}}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    logging: {driver: syslog}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "logging of the same driver merges",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    logging: {driver: json-file, options: {max-size: 1m}}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    logging: {options: {max-file: 2}}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "ulimits replace",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    ulimits: {nofile: {soft: 1, hard: 2}}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    ulimits: {nofile: 5}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "extra_hosts append",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    extra_hosts: ['a:1.1.1.1']
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    extra_hosts: ['a:1.1.1.1', 'b:2.2.2.2']
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "build merges",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    build: ./x
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    build: {target: t, args: [A=1]}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "tmpfs append",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    tmpfs: /a
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    tmpfs: [/b, /a]
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "devices by target",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    devices: ['/dev/a:/dev/x']
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    devices: ['/dev/b:/dev/x']
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "ports by value",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    ports: ['80:80', {target: 90, published: 91}]
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    ports: ['80:80/udp', {target: 90, published: 92}, {target: 90, published: 91}]
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "ports long over short",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    ports: ['80:80']
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    ports: [{target: 80, published: '80'}]
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "a mapping over a list is refused",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    cap_add: [A]
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    cap_add: {A: b}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "a string over a mapping is refused",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    healthcheck: {test: [CMD, a]}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    healthcheck: x
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "reset",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    ports: [80:80]
    environment: {A: 1, B: 2}
    command: x
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    ports: !reset []
    environment: {A: !reset null}
    command: !reset null
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "override",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    ports: [80:80]
    environment: {A: 1, B: 2}
    volumes: [./a:/a]
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    ports: !override [81:81]
    environment: !override {C: 3}
    volumes: !override []
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "override of a scalar",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    user: a
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    user: !override b
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "environment without value over one",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    environment: {A: 1}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    environment: [A]
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "labels map over map",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    labels: {a: 1, b: 2}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    labels: {b: 3}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "volumes short over long",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    volumes: [{type: bind, source: ./a, target: /m}]
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    volumes: ['./b:/m/']
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "profiles append",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    profiles: []
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    profiles: [x]
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "env_file append",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    env_file: []
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    env_file: []
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "sysctls and annotations",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    sysctls: {a.b: 1}
    annotations: {x: y}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    sysctls: [a.b=2]
    annotations: [x=z]
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "models-like extension merges",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    x-foo: {a: [1]}
",
            ),
            (
                "o.yaml",
                r"services:
  a:
    x-foo: {a: [2]}
",
            ),
        ],
        environment: &[],
        arguments: &["-f", "compose.yaml", "-f", "o.yaml"],
        from: "",
    },
    Case {
        rule: "extends in the same file",
        files: &[(
            "compose.yaml",
            r"services:
  base: {image: i, environment: {A: 1}, command: x, volumes: [./b:/b]}
  a:
    extends: base
    environment: {B: 2}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends map in the same file",
        files: &[(
            "compose.yaml",
            r"services:
  base: {image: i, depends_on: [c]}
  c: {image: i}
  a:
    extends: {service: base}
    command: y
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends chain",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    extends: b
    user: a
  b:
    extends: c
    working_dir: /b
  c: {image: i, user: c}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends circle is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a: {image: i, extends: b}
  b: {image: i, extends: a}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends of nothing is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a: {image: i, extends: zz}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends from a file",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    extends: {file: sub/base.yaml, service: base}
    volumes: [./l:/l]
",
            ),
            (
                "sub/base.yaml",
                r"services:
  base:
    image: i:${TAG:-none}
    volumes: [./m:/m]
    env_file: e.env
    build: .
    extends: {file: deep/x.yaml, service: x}
",
            ),
            (
                "sub/deep/x.yaml",
                r"services:
  x: {image: z, user: deep, volumes: [./d:/d]}
",
            ),
            (
                "sub/.env",
                r"TAG=sub
",
            ),
            (
                "sub/e.env",
                r"E=1
",
            ),
        ],
        environment: &[("TAG", "top")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends from a missing file is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a: {extends: {file: nope.yaml, service: b}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends of a missing service is refused",
        files: &[
            (
                "compose.yaml",
                r"services:
  a: {extends: {file: b.yaml, service: nope}}
",
            ),
            (
                "b.yaml",
                r"services:
  a:
    image: i

",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends brings dependencies that must exist",
        files: &[
            (
                "compose.yaml",
                r"services:
  a: {extends: {file: b.yaml, service: a}}
",
            ),
            (
                "b.yaml",
                r"services:
  a:
    image: i
    depends_on: [zz]
  zz: {image: i}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends with reset",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    extends: {file: b.yaml, service: a}
    ports: !reset []
    environment: !override {X: y}
",
            ),
            (
                "b.yaml",
                r"services:
  a:
    image: i
    ports: [80:80]
    environment: {A: 1}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extends merges by rules",
        files: &[(
            "compose.yaml",
            r"services:
  base: {image: i, command: a, volumes: [./a:/m], ports: [80:80]}
  a:
    extends: base
    command: b
    volumes: [./b:/m]
    ports: [81:81]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "include",
        files: &[
            (
                "compose.yaml",
                r"include: [sub/c.yaml]
services:
  a:
    image: i
    depends_on: [b]
",
            ),
            (
                "sub/c.yaml",
                r"services:
  b: {image: 'i:${TAG-no}', volumes: [./m:/m, v:/v]}
volumes: {v: }
",
            ),
            (
                "sub/.env",
                r"TAG=sub
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "include: parent's environment wins",
        files: &[
            (
                "compose.yaml",
                r"include: [sub/c.yaml]
services:
  a:
    image: i

",
            ),
            (
                "sub/c.yaml",
                r"services:
  b: {image: 'i:${TAG-no}'}
",
            ),
            (
                "sub/.env",
                r"TAG=sub
",
            ),
            (
                ".env",
                r"TAG=top
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "include long",
        files: &[
            (
                "compose.yaml",
                r"include:
  - path: [sub/c.yaml, sub/o.yaml]
    project_directory: other
    env_file: x.env
services:
  a:
    image: i

",
            ),
            (
                "sub/c.yaml",
                r"services:
  b: {image: 'i:${TAG-no}', volumes: [./m:/m]}
",
            ),
            (
                "sub/o.yaml",
                r"services: {b: {user: o}}
",
            ),
            (
                "x.env", r"TAG=x
",
            ),
            (
                "other/.env",
                r"TAG=other
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "include conflict is refused",
        files: &[
            (
                "compose.yaml",
                r"include: [c.yaml]
services:
  a:
    image: i

",
            ),
            (
                "c.yaml",
                r"services:
  a:
    image: i
    user: x
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "include of the same service is accepted",
        files: &[
            (
                "compose.yaml",
                r"include: [c.yaml]
services:
  b: {image: i}
",
            ),
            (
                "c.yaml",
                r"services:
  a: {image: i}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "include twice through two files",
        files: &[
            (
                "compose.yaml",
                r"include: [c.yaml, d.yaml]
services:
  b: {image: i}
",
            ),
            (
                "c.yaml",
                r"include: [e.yaml]
services: {c: {image: i}}
",
            ),
            (
                "d.yaml",
                r"include: [e.yaml]
services: {d: {image: i}}
",
            ),
            (
                "e.yaml",
                r"services: {e: {image: i, volumes: [./x:/x]}}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "include circle is refused",
        files: &[
            (
                "compose.yaml",
                r"include: [c.yaml]
services:
  a:
    image: i

",
            ),
            (
                "c.yaml",
                r"include: [compose.yaml]
services: {c: {image: i}}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "include of a missing file is refused",
        files: &[(
            "compose.yaml",
            r"include: [nope.yaml]
services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "include does not bring the name",
        files: &[
            (
                "compose.yaml",
                r"include: [c.yaml]
services:
  a:
    image: i

",
            ),
            (
                "c.yaml",
                r"name: other
x-foo: bar
services: {c: {image: i}}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "override file changes an included service",
        files: &[
            (
                "compose.yaml",
                r"include: [c.yaml]
services:
  a:
    image: i

",
            ),
            (
                "c.yaml",
                r"services: {c: {image: i, user: x}}
",
            ),
            (
                "compose.override.yaml",
                r"services: {c: {user: y}}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "env files of included services see the top environment only",
        files: &[
            (
                "compose.yaml",
                r"include: [sub/c.yaml]
services:
  a:
    image: i

",
            ),
            (
                "sub/c.yaml",
                r"services:
  b: {image: 'i:${TAG-no}', env_file: e.env}
",
            ),
            (
                "sub/.env",
                r"TAG=sub
",
            ),
            (
                "sub/e.env",
                r"K=${TAG}
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "environment list in an include takes its own env",
        files: &[
            (
                "compose.yaml",
                r"include: [sub/c.yaml]
services:
  a:
    image: i

",
            ),
            (
                "sub/c.yaml",
                r"services:
  b: {image: i, environment: [TAG]}
  m: {image: i, environment: {TAG: }}
",
            ),
            (
                "sub/.env",
                r"TAG=sub
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "env_file",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    env_file: a.env
    environment: {B: own, D: }
",
            ),
            (
                "a.env",
                r"A=1
B=file
C=${B}-$A-${OS}
D=d
",
            ),
        ],
        environment: &[("OS", "os")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "env_file list",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    env_file:
      - a.env
      - {path: b.env, required: true}
      - {path: nope.env, required: false}
",
            ),
            (
                "a.env",
                r"A=1
B=1
",
            ),
            (
                "b.env",
                r"B=2
C=$A
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "env_file missing is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    env_file: nope.env
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "env_file raw",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    env_file: [{path: a.env, format: raw}]
",
            ),
            (
                "a.env",
                r#"A="x"
B=$A # c
# c
C
D=
"#,
            ),
        ],
        environment: &[("C", "c")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "env_file of an unknown format is refused",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    env_file: [{path: a.env, format: zz}]
",
            ),
            (
                "a.env", r"A=1
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "env_file masked by null",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    env_file: a.env
    environment: [X]
",
            ),
            (
                "a.env", r"X=1
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "env_file bare key",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    env_file: a.env
",
            ),
            (
                "a.env",
                r"OS
NO
A=1
LAST",
            ),
        ],
        environment: &[("OS", "os")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "label_file",
        files: &[
            (
                "compose.yaml",
                r"services:
  a:
    image: i
    label_file: l.env
    labels: {b: own}
",
            ),
            (
                "l.env",
                r"a=1
b=2
c=$a
",
            ),
        ],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "profiles off",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i

  b: {image: i, profiles: [p]}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "profiles on",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i

  b: {image: i, profiles: [p]}
",
        )],
        environment: &[],
        arguments: &["--profile", "p"],
        from: "",
    },
    Case {
        rule: "profiles star",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i

  b: {image: i, profiles: [p]}
",
        )],
        environment: &[],
        arguments: &["--profile", "*"],
        from: "",
    },
    Case {
        rule: "COMPOSE_PROFILES",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i

  b: {image: i, profiles: [p]}
  c: {image: i, profiles: [q]}
",
        )],
        environment: &[("COMPOSE_PROFILES", "x, p")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "dependency on a disabled service is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    depends_on: [b]
  b: {image: i, profiles: [p]}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "optional dependency on a disabled service",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    depends_on: {b: {condition: service_started, required: false}}
  b: {image: i, profiles: [p]}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "disabled service may be inconsistent",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i

  b: {profiles: [p], volumes: [nope:/x], env_file: nope.env}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "volumes_from",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes_from: [b:ro]
  b: {image: i, volumes: [./x:/x]}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "pull policy",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    pull_policy: if_not_present
    platform: linux/amd64
    stop_signal: SIGINT
    hostname: h
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "use_api_socket",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    use_api_socket: true
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "post_start",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    post_start: [{command: echo hi, user: root}]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "provider",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    provider: {type: model, options: {model: x}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "models",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    models: [m]
models: {m: {model: ai/x}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "version is ignored",
        files: &[(
            "compose.yaml",
            r"version: '3'
services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "float as a string attribute is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    user: 1.5
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "boolean as a string attribute is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    user: true
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "a list as image is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: [x]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "null service is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "services as list is refused",
        files: &[(
            "compose.yaml",
            r"services: [a]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "null services",
        files: &[(
            "compose.yaml",
            r"services:
volumes: {a: }
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "image with a variable and a default",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: ${REG:-docker.io}/x:${TAG:-latest}
",
        )],
        environment: &[("TAG", "v1")],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "numeric image tag is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: 5
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "annotations and storage",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    annotations: {a: b}
    storage_opt: {size: 1G}
    cgroup_parent: x
    userns_mode: host
    uts: host
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "blkio",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    blkio_config: {weight: 300}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "develop",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    develop: {watch: [{path: ./src, action: sync, target: /src}]}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "credential spec and isolation",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    isolation: default
    mac_address: 02:42:ac:11:65:43
    domainname: d
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "interpolated port",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    ports: ['${P:-8000}:8000']
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "interpolated number in deploy",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    deploy: {replicas: '${R:-2}'}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "interpolated retries",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    healthcheck: {test: [CMD, a], retries: '${R:-5}'}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "interpolated device count",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    deploy: {resources: {reservations: {devices: [{count: '${N:-all}', capabilities: [gpu]}]}}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "device count as text is refused",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    gpus: [{count: many}]
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extension under attributes",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    healthcheck: {test: [CMD, a], x-foo: 1}
    x-bar: 2
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "extension in a volume",
        files: &[(
            "compose.yaml",
            r"services:
  a:
    image: i
    volumes: [v:/v]
volumes: {v: {x-foo: 1}}
",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
    Case {
        rule: "time in an extension",
        files: &[(
            "compose.yaml",
            r"x-foo: {a: 2024-01-01}
services:
  a:
    image: i

",
        )],
        environment: &[],
        arguments: &[],
        from: "",
    },
];
