"""The people, teams, providers and models of the demo. All are invented; addresses never resolve."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class DemoTeam:
    slug: str
    name: str
    colour: int
    members: tuple[tuple[str, str], ...]  # (e-mail, role)
    keys: tuple[tuple[str, str], ...]  # (name, environment)
    aliases: tuple[str, ...]


PEOPLE = {
    "ada.nwosu@demo.example": "Ada Nwosu",
    "ines.okafor@demo.example": "Ines Okafor",
    "tomas.lind@demo.example": "Tomas Lind",
    "mei.tanaka@demo.example": "Mei Tanaka",
    "jonas.weber@demo.example": "Jonas Weber",
    "priya.raman@demo.example": "Priya Raman",
}

TEAMS = (
    DemoTeam(
        "support",
        "Support",
        1,
        (
            ("ada.nwosu@demo.example", "owner"),
            ("tomas.lind@demo.example", "builder"),
            ("priya.raman@demo.example", "auditor"),
        ),
        (("help-app", "production"), ("ticket-to-article", "production"), ("help-app staging", "sandbox")),
        ("support-chat", "ticket-to-article"),
    ),
    DemoTeam(
        "marketing",
        "Marketing",
        2,
        (("mei.tanaka@demo.example", "owner"), ("ines.okafor@demo.example", "builder")),
        (("cms-publisher", "production"), ("copy-tool", "production")),
        ("campaign-copy",),
    ),
    DemoTeam(
        "operations",
        "Operations",
        3,
        (("jonas.weber@demo.example", "owner"), ("ines.okafor@demo.example", "approver")),
        (("log-watcher", "production"), ("grafana alerts", "production")),
        ("ops-triage",),
    ),
)

# slug, name
PROVIDERS = (("meridian", "Meridian (demo)"), ("northgate", "Northgate (demo)"), ("house", "House models (demo)"))


@dataclass(frozen=True, slots=True)
class DemoModel:
    provider: str
    name: str
    context: int
    output: int
    price: tuple[str, str, str | None]  # input, output, cached input, per million tokens
    capabilities: tuple[str, ...] = ("chat", "tools", "json_schema")
    retires_in_days: int | None = None
    successor: str = ""

    @property
    def label(self) -> str:
        return f"{self.provider}/{self.name}"


MODELS = (
    DemoModel("meridian", "meridian-large-2026-10-28", 200_000, 16_384, ("2.80", "11", "0.28")),
    DemoModel(
        "meridian",
        "meridian-large-2026-07-30",
        200_000,
        8_192,
        ("3", "12", "0.30"),
        retires_in_days=68,
        successor="meridian/meridian-large-2026-10-28",
    ),
    DemoModel("northgate", "northgate-pro-4.1", 128_000, 16_384, ("2", "8", None), ("chat", "tools", "vision")),
    DemoModel("northgate", "northgate-mini-4.1", 128_000, 8_192, ("0.40", "1.60", "0.10")),
    DemoModel("house", "house-8b-r14", 32_768, 4_096, ("0.05", "0.10", None), ("chat",)),
    DemoModel("house", "house-8b-r15", 32_768, 4_096, ("0.05", "0.10", None), ("chat", "tools")),
)


@dataclass(frozen=True, slots=True)
class DemoMove:
    days_ago: float
    environment: str
    to: str
    reason: str
    by: str
    is_back: bool = False


@dataclass(frozen=True, slots=True)
class DemoAlias:
    name: str
    about: str
    moves: tuple[DemoMove, ...] = field(default_factory=tuple)
    fallback: DemoMove | None = None  # what answers where the pinned version does not, and since when


_ADA, _INES, _JONAS = "ada.nwosu@demo.example", "ines.okafor@demo.example", "jonas.weber@demo.example"
_OLD, _NEW = "meridian/meridian-large-2026-07-30", "meridian/meridian-large-2026-10-28"
_MINI, _PRO = "northgate/northgate-mini-4.1", "northgate/northgate-pro-4.1"
_R14, _R15 = "house/house-8b-r14", "house/house-8b-r15"

ALIASES = (
    DemoAlias(
        "support-chat",
        "Demo. Answers in the help app.",
        (
            DemoMove(96, "production", _MINI, "First pin", _ADA),
            DemoMove(41, "production", _OLD, "Fewer tickets come back than with the small one", _ADA),
            DemoMove(4.3, "sandbox", _NEW, "New version from the provider", _INES),
        ),
        DemoMove(40.5, "production", _MINI, "Customers wait for no provider to come back", _ADA),
    ),
    DemoAlias(
        "ticket-to-article",
        "Demo. Turns closed tickets into draft articles at night.",
        (
            DemoMove(95, "production", _MINI, "First pin", _ADA),
            DemoMove(43, "production", _PRO, "Longer articles", _INES),
            DemoMove(41.2, "production", _MINI, "Articles lost their tables", _ADA, is_back=True),
            DemoMove(12, "sandbox", _PRO, "Tables again, with the new prompt", _INES),
        ),
    ),
    DemoAlias(
        "campaign-copy",
        "Demo. First drafts for the newsletter and landing pages.",
        (
            DemoMove(80, "production", _OLD, "First pin", _INES),
            DemoMove(80, "sandbox", _OLD, "First pin", _INES),
        ),
    ),
    DemoAlias(
        "ops-triage",
        "Demo. Sorts alerts into noise, look at it, wake somebody.",
        (
            DemoMove(70, "production", _MINI, "First pin", _JONAS),
            DemoMove(26, "sandbox", _R14, "Ours, and a tenth of the price", _JONAS),
            DemoMove(6, "sandbox", _R15, "Calls tools; to be tried on last week's alerts", _JONAS),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Stream:
    """One source of calls: whose key, what it asks, how often, how long it takes."""

    team: str
    key: str
    alias: str
    environment: str
    type: str
    lane: str
    surface: str
    is_stream: bool
    a_day: int
    hours: tuple[int, ...]  # weight of each hour of the day, UTC
    weekend: float  # share of a weekday's calls
    prompt: tuple[int, int]
    completion: tuple[int, int]
    first_us: tuple[int, int]
    token_us: int
    topics: str


_OFFICE = (1, 1, 1, 1, 1, 2, 5, 12, 24, 34, 36, 32, 26, 32, 36, 34, 28, 20, 13, 9, 6, 4, 2, 1)
_CUSTOMERS = (4, 3, 2, 2, 3, 5, 9, 16, 24, 30, 32, 30, 28, 30, 31, 30, 28, 26, 24, 22, 18, 14, 9, 6)
_NIGHT = (30, 34, 26, 12, 4, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 12, 24)
_ALWAYS = (5, 5, 6, 5, 5, 5, 6, 6, 7, 7, 6, 6, 7, 6, 6, 7, 6, 6, 6, 6, 5, 5, 5, 5)

STREAMS = (
    Stream("support", "help-app", "support-chat", "production", "chat", "interactive", "api", True, 1250, _CUSTOMERS,
           0.45, (700, 2100), (120, 620), (280_000, 620_000), 4_200, "support"),
    Stream("support", "ticket-to-article", "ticket-to-article", "production", "completion", "batch", "batch", False,
           360, _NIGHT, 0.6, (1200, 3600), (500, 1500), (700_000, 1_400_000), 3_100, "articles"),
    Stream("support", "help-app staging", "support-chat", "sandbox", "chat", "interactive", "api", True, 60, _OFFICE,
           0.05, (700, 2100), (120, 620), (300_000, 700_000), 4_400, "support"),
    Stream("marketing", "copy-tool", "campaign-copy", "production", "completion", "standard", "api", False, 150,
           _OFFICE, 0.08, (900, 2600), (500, 1400), (500_000, 900_000), 4_300, "copy"),
    Stream("marketing", "cms-publisher", "campaign-copy", "production", "completion", "standard", "api", False, 45,
           _OFFICE, 0.02, (1500, 4200), (700, 1900), (500_000, 950_000), 4_300, "copy"),
    Stream("operations", "log-watcher", "ops-triage", "production", "chat", "standard", "api", False, 420, _ALWAYS,
           0.95, (1800, 6200), (60, 260), (120_000, 260_000), 9_000, "ops"),
    Stream("operations", "grafana alerts", "ops-triage", "production", "chat", "interactive", "api", False, 34,
           _ALWAYS, 0.9, (600, 1500), (60, 200), (110_000, 240_000), 9_000, "ops"),
)  # fmt: skip
