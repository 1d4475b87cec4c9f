"""What cues may refer to and must keep, taken from the configuration."""

from console.config import Config
from hardware.sports import COUNTING_UP
from sync.cues import Catalogue
from sync.media_files import FOLDER_NAME, MediaStore
from sync.tweets import TweetRules


def catalogue_of(config: Config) -> Catalogue:
    """The catalogue that a file of cues, and a cue before its approval, is checked against."""
    return Catalogue(
        accounts=frozenset(account.id for account in config.accounts),
        channels=frozenset(channel.id for channel in config.channels),
        devices=frozenset(device.id for device in config.devices),
        tallies=frozenset(tally.id for tally in config.tallies),
        sides={fixture.id: (fixture.home, fixture.away) for fixture in config.fixtures},
        counting_up=frozenset(fixture.id for fixture in config.fixtures if fixture.sport in COUNTING_UP),
        rules=rules_of(config),
        approvers_min=config.approval.approvers,
        stored_media_fault=media_store(config).fault,
    )


def media_store(config: Config) -> MediaStore:
    """Where the media of cues are kept."""
    return MediaStore(config.paths.state_dir / FOLDER_NAME)


def rules_of(config: Config) -> TweetRules:
    """What a tweet may hold here."""
    tweets = config.tweets
    return TweetRules(banned_words=tweets.banned_words, mentions=frozenset(tweets.mentions), disclosures=tweets.disclosures)
