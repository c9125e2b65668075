"""What is known of the fields of GCN's unified schema: units and meanings from the schema's descriptions.

Core schema and missions' own (github.com/nasa-gcn/gcn-schema, v7); UCDs are of UCD1+ (IVOA, 1.5), but for the
false alarm rate's, which is that of LVK's VOEvents.
"""

from __future__ import annotations

from typing import Final

from ._params import About


def _real(unit: str = "", ucd: str = "", description: str = "", unit_in: str = "") -> About:
    return About(unit, ucd, description, unit_in, real=True)


_PLAIN: Final = {
    # Alert, Reporter, Event, FollowUp
    "alert_datetime": About(ucd="time.creation", description="When the notice was made"),
    "alert_tense": About(ucd="meta.code", description="Whether it is of now, of the past, planned or a test"),
    "alert_type": About(ucd="meta.code", description="Whether it is the first, an update or a retraction"),
    "mission": About(ucd="instr.obsty", description="Mission or telescope that reports the event"),
    "instrument": About(ucd="instr", description="Instrument that reports the event"),
    "messenger": About(ucd="meta.code", description="EM, GW or Neutrino"),
    "record_number": About(ucd="meta.version", description="Number of the notice among those of the event"),
    "event_name": About(ucd="meta.id", description="Names of the event"),
    "id": About(ucd="meta.id;meta.main", description="The instrument's own names for the trigger"),
    "follow_up_event": About(ucd="meta.id", description="What this was a search for"),
    "ref_ID": About(ucd="meta.id", description="What this was a search for"),
    "data_archive_page": About(ucd="meta.ref.url", description="Where the data are"),
    "light_curve_url": About(ucd="meta.ref.url", description="Where the light curve is"),
    "healpix_url": About(ucd="meta.ref.url", description="Where the sky map is (HEALPix)"),
    "additional_info": About(ucd="meta.note", description="What else the authors say"),
    "known_source": About(ucd="meta.id", description="Known source that it is of"),
    "reference_catalog": About(ucd="meta.id", description="Catalogue with the average flux"),
    # DateTime
    "trigger_time": About(ucd="time.epoch", description="Time of the trigger (UTC)"),
    "observation_start": About(ucd="time.start;obs", description="Start of the observation (UTC)"),
    "observation_stop": About(ucd="time.end;obs", description="End of the observation (UTC)"),
    "trigger_time_inf_freq": About(ucd="time.epoch", description="Time at infinite frequency (UTC)"),
    # Localization
    "systematic_included": About(ucd="meta.code", description="Whether the error has a systematic part"),
    "rectangular_error_corners": About("deg", "pos.outline", "Corners of the error box, as ra and dec"),
    "n_events": About(ucd="meta.number", description="Number of neutrinos"),
    "n_ibd_events": About(ucd="meta.number", description="Number of inverse beta decays"),
    "number_of_events": About(ucd="meta.number", description="Number of neutrinos"),
}

_ENERGY_RANGE = "em.energy;stat.interval"
_RANGES: Final = {
    "spectral_band": About("keV", "em;stat.interval", "Band that was observed", "spectral_band_units"),
    "rate_energy_range": About("keV", _ENERGY_RANGE, "Energies for rate_snr"),
    "image_energy_range": About("keV", _ENERGY_RANGE, "Energies for image_snr"),
    "energy_range_soft": About("keV", _ENERGY_RANGE, "Soft band of the hardness ratio"),
    "energy_range_hard": About("keV", _ENERGY_RANGE, "Hard band of the hardness ratio"),
    "localization_energy_range": About("keV", _ENERGY_RANGE, "Energies for the position"),
    "flux_spectral_band": About("keV", _ENERGY_RANGE, "Band of the flux", "flux_spectral_unit"),
    "fluence_energy_range": About("keV", _ENERGY_RANGE, "Energies for the fluence"),
    "flux_time_range": About("s", "time.interval", "Times of the flux, since the trigger"),
    "fluence_time_range": About("s", "time.interval", "Times of the fluence, since the trigger"),
}

_REALS: Final = {
    # DateTime and Duration
    "trigger_time_error": _real("s", "stat.error;time", "Error of the trigger's time, 1 sigma"),
    "trigger_time_inf_freq_error": _real("s", "stat.error;time", "Error of that time"),
    "observation_livetime": _real("s", "time.duration;obs", "Live time of the observation"),
    "t90": _real("s", "time.duration", "Duration of the central 90 % of the fluence"),
    "t50": _real("s", "time.duration", "Duration of the central 50 % of the fluence"),
    "t90_error": _real("s", "stat.error;time.duration", "Error of t90, 1 sigma"),
    "t50_error": _real("s", "stat.error;time.duration", "Error of t50, 1 sigma"),
    "detection_interval": _real("s", "time.interval", "From the first neutrino to the last"),
    "detection_timescale": _real(
        "", "time.scale", "Time scale of the detection", "detection_timescale_units"
    ),
    "event_tscale": _real("s", "time.scale", "Time scale of the detection", "event_tunits"),
    "sampling_time": _real("ms", "time.resolution", "Time resolution of the search"),
    # Localization
    "ra_dec_error": _real("deg", "pos.errorEllipse", "Radius of the error; or semi-axes and position angle"),
    "position_a_error": _real(
        "deg", "phys.angSize.smajAxis;pos.errorEllipse", "Semi-major axis of the error"
    ),
    "position_b_error": _real(
        "deg", "phys.angSize.sminAxis;pos.errorEllipse", "Semi-minor axis of the error"
    ),
    "position_error_pa": _real("deg", "pos.posAng;pos.errorEllipse", "Position angle of the error"),
    "containment_probability": _real(
        "", "stat.probability", "Probability that the error contains the source"
    ),
    "src_error_50": _real("deg", "pos.errorEllipse", "Radius that contains the source with 50 %"),
    "instrument_phi": _real("deg", "pos.azimuth", "Azimuth in the instrument's frame"),
    "instrument_theta": _real("deg", "pos.angDistance", "Angle from the instrument's axis"),
    "galactic_l": _real("deg", "pos.galactic.lon", "Galactic longitude"),
    "galactic_b": _real("deg", "pos.galactic.lat", "Galactic latitude"),
    "ra": _real("deg", "pos.eq.ra", "Right ascension (ICRS)"),
    "dec": _real("deg", "pos.eq.dec", "Declination (ICRS)"),
    "sun_distance": _real("deg", "pos.angDistance", "Angle to the Sun"),
    "earth_angle": _real("deg", "pos.angDistance", "Angle to the centre of the Earth"),
    "latitude": _real("deg", "pos.earth.lat", "Latitude of the spacecraft"),
    "longitude": _real("deg", "pos.earth.lon", "Longitude of the spacecraft"),
    "roll": _real("deg", "pos.posAng", "Roll of the instrument"),
    # Statistics
    "far": _real("Hz", "arith.rate;stat.falsealarm", "Rate of false alarms at least as strong"),
    "p_astro": _real("", "stat.probability", "Probability that the source is astrophysical"),
    "p_value": _real("", "stat.probability", "Probability to occur by chance"),
    "rate_snr": _real("", "stat.snr", "Signal to noise in the rate"),
    "image_snr": _real("", "stat.snr", "Signal to noise in the image"),
    "snr": _real("", "stat.snr", "Signal to noise"),
    "TS": _real("", "stat.value", "Test statistic of the detection"),
    "rate_duration": _real("s", "time.duration", "Time over which the rate was taken"),
    "image_duration": _real("s", "time.duration", "Time over which the image was taken"),
    "importance": _real("", "stat.probability", "Score from noise (0) to an astrophysical signal (1)"),
    "association_probability": _real(
        "", "stat.probability", "Score of the association with the known source"
    ),
    # Spectral, HardnessRatio
    "hardness_ratio": _real("", "phot.color", "Flux in the hard band by that in the soft"),
    "flux": _real("", "phot.flux", "Flux", "flux_unit"),
    "flux_error": _real("", "stat.error;phot.flux", "Error of the flux, 1 sigma", "flux_unit"),
    "event_flux": _real("erg/cm2/s", "phot.flux", "Flux in spectral_band"),
    "event_flux_error": _real("erg/cm2/s", "stat.error;phot.flux", "Error of that, 1 sigma"),
    "photon_flux": _real("ph/cm2/s", "phot.flux", "Flux of photons"),
    "photon_flux_error": _real("ph/cm2/s", "stat.error;phot.flux", "Error of that, 1 sigma"),
    "fluence": _real("erg/cm2", "phot.fluence", "Fluence"),
    "fluence_error": _real("erg/cm2", "stat.error;phot.fluence", "Error of the fluence, 1 sigma"),
    "flux_ratio": _real("", "arith.ratio;phot.flux", "Flux by the catalogue's average"),
    "alpha": _real("", "spect.index", "Spectral index"),
    "alpha_error": _real("", "stat.error;spect.index", "Error of the spectral index"),
    "net_count_rate": _real("ct/s", "phot.count;arith.rate", "Net count rate"),
    # Neutrinos, radio, distance
    "nu_energy": _real("TeV", "phys.energy;phys.particle.neutrino", "Most probable energy of the neutrino"),
    "dm": _real("pc/cm3", "phys.dispMeasure", "Dispersion measure"),
    "dm_error": _real("pc/cm3", "stat.error;phys.dispMeasure", "Error of that, 1 sigma"),
    "dm_gal_ne_2001_max": _real("pc/cm3", "phys.dispMeasure", "Part of the Galaxy in it, by NE2001"),
    "tsys": _real("K", "phys.temperature", "System temperature"),
    "luminosity_distance": _real("Mpc", "pos.distance", "Luminosity distance"),
    "luminosity_distance_error": _real("Mpc", "stat.error;pos.distance", "Error of that, 1 sigma"),
    "redshift": _real("", "src.redshift", "Redshift"),
    "redshift_error": _real("", "stat.error;src.redshift", "Error of the redshift"),
}

#: By the field's name, wherever in a notice it is.
FIELDS: Final = {**_PLAIN, **_RANGES, **_REALS}
#: Of the classes in `classification`, whatever they are called.
CLASS: Final = _real("", "stat.probability", "Probability of this class")
