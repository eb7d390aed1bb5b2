from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Button:
    label: str
    address: str
    is_main: bool = False
